"""What a fit minimises, one class a file: a file that is added here is found by the name in `training.objective`."""
