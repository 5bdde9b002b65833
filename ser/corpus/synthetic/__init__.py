"""The generated corpus of egs/mini, whose answers are known."""
