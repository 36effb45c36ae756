"""The plan of a run: which steps, in which order, reading what. Bodies are imported when they run."""
