"""RESULTS.md, report.html and their figures."""
