"""Transcripts: normalisation and subword units."""
