"""What a task asks of a model, one class a file: a file that is added here is found by the name in `task.kind`.

Its loss in PyTorch is a file of the same name in `distill/training/objectives`.
"""
