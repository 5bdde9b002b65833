"""Audio files of any format: read, checked to their end, written; whether they can be speech."""
