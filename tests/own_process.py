"""Calls a function in a process of its own, which may be killed.

That process is forked by one that has imported the libraries and started no thread. A fork of a process that runs tests
would have the locks and pools of its threads, and not the threads: it can wait for them for ever.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from typing import Any

_IMPORTED = ("distill.families.encoder", "distill.training.fit", "distill.inference.predict", "teachers.label")


def exit_code(function: Callable[..., None], *given: Any, kill_after: float | None = None) -> int:
    """How a call of `function` in a process of its own ends: 0, 1 after an error, −9 when it was killed.

    Args: function: of a module, not of another function. kill_after: seconds; None: it may end by itself.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_IMPORTED])
    child = context.Process(target=function, args=given)
    child.start()
    if kill_after is not None:
        time.sleep(kill_after)
        child.kill()
    child.join()
    code = child.exitcode
    assert code is not None
    return code
