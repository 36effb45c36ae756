"""One module for each family of models: how it is fitted, opened and described."""
