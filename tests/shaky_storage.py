"""A storage in memory, `shaky://`, whose connection drops."""

from __future__ import annotations

from pathlib import Path

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class Shaky(MemoryFileSystem):
    """Attributes: drops: so many of the next calls fail, after `after` that do not. error: what each meets."""

    protocol = "shaky"
    store, pseudo_dirs = {}, [""]
    drops, after, error = 0, 0, ConnectionResetError("Connection reset by peer")

    def put_file(self, lpath, rpath, **options):
        self._drop()
        super().put_file(lpath, rpath, **options)

    def get_file(self, rpath, lpath, **options):
        if Shaky.drops and not Shaky.after:
            Path(lpath).write_bytes(b"half of")
        self._drop()
        super().get_file(rpath, lpath, **options)

    @staticmethod
    def _drop():
        if Shaky.after:
            Shaky.after -= 1
        elif Shaky.drops:
            Shaky.drops -= 1
            raise Shaky.error


fsspec.register_implementation("shaky", Shaky, clobber=True)
