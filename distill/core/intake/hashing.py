"""Seeded, stable hashes of texts: the same on every machine and in every process."""

from __future__ import annotations

import hashlib

_SPAN = float(1 << 64)
_BETWEEN = "\x1f"  # separates parts; white space in record texts is squeezed, so none contains it


def digest(*parts: str) -> int:
    """64-bit BLAKE2b hash of the parts; a collision among a million texts has a chance of 3e-8."""
    data = _BETWEEN.join(parts).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def unit(seed: int, *parts: str) -> float:
    """A number in [0, 1) that looks random but depends only on the seed and the parts."""
    return min(digest(str(seed), *parts) / _SPAN, 1 - 2**-53)
