"""The rows of tools/bench.py, one file a topic; each measures both sides in one run."""
