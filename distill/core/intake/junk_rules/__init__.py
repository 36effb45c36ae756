"""The kinds of junk rules, one class per file; a file that is added here is found by its class's name."""
