"""Families of models: how each is fitted, opened and described, and what several of them share."""
