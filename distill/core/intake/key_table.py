"""A table of 64-bit hashes that a pool of any size can be remembered by: 13 to 27 bytes a row."""

from __future__ import annotations

from array import array

_LEAST, _FULL = 1 << 10, 0.75


class KeyTable:
    """From 64-bit hashes to small numbers, by open addressing; as fast as a dictionary, at a tenth of its memory.

    Places are taken from the lowest bits of a key, so keys have to be hashes already. 0 is held for 1.
    """

    def __init__(self) -> None:
        self._keys, self._values = array("Q", bytes(8 * _LEAST)), array("H", bytes(2 * _LEAST))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: int) -> int | None:
        """The number of a key; None where it is not there."""
        place = self._place(key or 1)
        return self._values[place] if self._keys[place] else None

    def add(self, key: int, value: int = 0) -> None:
        """Remember a key, 0 ≤ key < 2^64, with a number, 0 ≤ value < 65,536; one that is there keeps its number."""
        key = key or 1
        place = self._place(key)
        if self._keys[place]:
            return
        self._keys[place], self._values[place] = key, value
        self._count += 1
        if self._count > _FULL * len(self._keys):
            self._grow()

    def _place(self, key: int) -> int:
        """Where a key is, or where it would be."""
        keys, last = self._keys, len(self._keys) - 1
        place = key & last
        while (own := keys[place]) and own != key:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        before = zip(self._keys, self._values, strict=True)
        size = 2 * len(self._keys)
        self._keys, self._values = array("Q", bytes(8 * size)), array("H", bytes(2 * size))
        for key, value in before:
            if key:
                place = self._place(key)
                self._keys[place], self._values[place] = key, value
