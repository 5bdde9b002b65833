"""Stage 5: predictions of the folds, by trained systems and by baselines without a network."""
