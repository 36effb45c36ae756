"""Every figure and test that needs a card, in one command: `python -m benchmarks.gpu`."""
