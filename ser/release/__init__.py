"""A trained model for others: package, card, export."""
