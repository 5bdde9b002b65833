"""Stage 5: what trained systems, and controls without a network, say of the folds."""
