"""What can be known before a stage runs."""
