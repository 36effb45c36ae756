"""Sheets that people fill in: written as CSV that a spreadsheet opens as it is, and read back."""
