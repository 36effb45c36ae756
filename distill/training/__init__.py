"""Losses and training runs; nothing here knows whether it trains a teacher or a student."""
