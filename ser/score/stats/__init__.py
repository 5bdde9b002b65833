"""Figures, intervals and tests."""
