"""Ways to ask a model beyond one request after another; a file each, found by the scenario's name."""
