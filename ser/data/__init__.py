"""Utterances with features, in batches. Nothing here knows a model."""
