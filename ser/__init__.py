"""Speech emotion recognition that starts from speech recognition (Park & Kim, 2021)."""

__version__ = "0.1.0"
