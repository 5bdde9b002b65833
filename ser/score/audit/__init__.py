"""What folds leak, and what is reached without listening."""
