"""What turns records into soft labels."""
