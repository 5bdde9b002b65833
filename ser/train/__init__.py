"""Training: optimiser, checkpoints, the loop, and the paper's two kinds of run."""
