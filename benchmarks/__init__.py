"""Measurements: latency, labelling, training, quality."""

"""What is measured in time."""
