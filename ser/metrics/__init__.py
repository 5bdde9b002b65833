"""Figures of merit, without torch."""
