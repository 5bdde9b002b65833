"""The tables of stage 5, validated, and as arrays."""
