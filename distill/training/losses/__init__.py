"""The terms that a training loss is made of: one class a file, found by name."""
