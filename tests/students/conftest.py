"""The toy task's encoder and records."""

from tests.training.toy_fixtures import encoder, records, warm

__all__ = ["encoder", "records", "warm"]
