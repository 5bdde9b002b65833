"""Configuration: one YAML file, one frozen model; strict."""
