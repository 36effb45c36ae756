"""Whether this process is one of several that torchrun started, read from the variables that it sets."""

from __future__ import annotations

import os

from distill.core.errors import UserError


def rank() -> int:
    """This process's number among them; the first one, 0, writes artifacts. Raises: as `world`."""
    return int(os.environ.get("RANK", "0")) if world() > 1 else 0


def local_rank() -> int:
    """This process's number among those on its machine. Raises: as `world`."""
    return int(os.environ["LOCAL_RANK"]) if world() > 1 else 0


def world() -> int:
    """How many there are; 1 without torchrun.

    Raises: UserError where the variables speak of several, and it was not torchrun that set them.
    """
    found = os.environ.get("WORLD_SIZE") or "1"
    if found != "1" and "LOCAL_RANK" not in os.environ:  # schedulers set the other two for a torchrun to come
        raise UserError(
            "this is to be one of several processes, and torchrun did not start it",
            where="the environment variable WORLD_SIZE",
            found=f"{found}, and no LOCAL_RANK",
            do="start them by torchrun, or unset WORLD_SIZE for a run by this process alone",
        )
    return int(found)
