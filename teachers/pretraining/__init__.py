"""Pre-training a small encoder on pairs of texts, from random weights or from a checkpoint."""
