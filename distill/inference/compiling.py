"""Whether torch.compile can make a model faster on this machine."""

from __future__ import annotations

import shutil

COMPILERS = ("c++", "g++", "clang++")


def has_compiler() -> bool:
    """Whether one of the compilers that torch.compile calls is on the path."""
    return any(map(shutil.which, COMPILERS))
