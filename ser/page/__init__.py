"""The frame of the pages: style, scripts, what may be loaded."""
