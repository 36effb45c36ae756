"""Classifiers that are no transformers but load, train and export as transformers' own: one architecture a file."""
