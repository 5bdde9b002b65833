"""The one definition of the features."""
