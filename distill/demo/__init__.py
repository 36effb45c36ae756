"""The embedded demo project."""
"""The embedded project."""
