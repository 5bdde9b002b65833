"""What folds leak (``overlaps``), what baselines without audio reach, and the tables of both."""
