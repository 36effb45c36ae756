"""A disk without room, as the system tells a process of it."""

import resource
from contextlib import contextmanager


@contextmanager
def small_disk(size: int):
    """A disk on which no file can be larger than `size` bytes."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
