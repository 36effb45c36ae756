"""Large text classifiers into small ones that production can afford, with proof that nothing was lost."""
