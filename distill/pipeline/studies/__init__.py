"""Studies: several runs that differ in little, and what the differences come to."""
