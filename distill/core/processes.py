"""Whether this process is one of several that torchrun started, read from the variables that it sets."""

from __future__ import annotations

import os


def rank() -> int:
    """This process's number among them; the first one, 0, writes artifacts."""
    return int(os.environ.get("RANK", "0"))


def world() -> int:
    """How many there are; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))
