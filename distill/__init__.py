"""Large text classifiers into small ones that production can afford, with measurements of what was kept."""
