"""The losses of each objective in PyTorch, one class a file, by its name in `distill/core/objectives`."""
