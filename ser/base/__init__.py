"""What everything else stands on: errors, files, logging and run records."""
