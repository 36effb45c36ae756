"""The toy task's encoder."""

from tests.training.toy_fixtures import encoder, warm

__all__ = ["encoder", "warm"]
