"""One program a stage step: docstring, arguments, main."""
