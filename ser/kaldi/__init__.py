"""Kaldi's file formats: data directories and feature archives."""
