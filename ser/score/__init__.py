"""Scoring: from the predictions on disk to tables, figures and the report, without torch."""
