"""Transcripts: normalisation, subword units, n-grams, and how CTC is decoded."""
