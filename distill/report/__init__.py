"""The figures of a run and the page that shows them, from its files alone."""
