"""The sections of report.html. A new one is a file in this folder with one class; nothing else names it."""
