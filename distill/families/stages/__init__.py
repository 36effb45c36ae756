"""What the stages of a cascade are: one class a file, found by its name."""
