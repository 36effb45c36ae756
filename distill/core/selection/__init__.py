"""Which rows of the labelled pool students learn from. No torch."""
