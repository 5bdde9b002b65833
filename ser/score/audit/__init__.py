"""What folds leak, and what baselines without audio reach."""
