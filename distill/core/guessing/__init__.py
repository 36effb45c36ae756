"""The first project file, guessed from data files."""
