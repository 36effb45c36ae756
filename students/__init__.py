"""What learns from soft labels."""
