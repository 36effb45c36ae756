"""The leak checks, one class per file; a file that is added here is found by itself and shows in `audit.json`."""
