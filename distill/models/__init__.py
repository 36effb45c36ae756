"""Encoder families behind one shape: loading, layer choice, first-token inference, fresh small models."""
