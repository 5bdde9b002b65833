"""A model on a page: drop or record audio, and see what it says."""
