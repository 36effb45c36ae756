"""Where the figures of a finished run can go besides its report. A new one is a file in this folder with one class."""
