"""Runtimes that label with an encoder, one class a file, found by name."""
