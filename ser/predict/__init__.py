"""Stage 5: predictions of the folds, by systems and baselines; what recognisers hear."""
