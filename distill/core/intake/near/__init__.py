"""Near duplicates: shingles, their sketches on disk, candidates, and rows that are like an earlier one."""
