"""Audio files of any format: read, checked to their end, and whether they can be speech."""
