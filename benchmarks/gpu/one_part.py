"""One part of the GPU kit in its own process: `python -m benchmarks.gpu.one_part JSON`, started by `running.py`."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

from benchmarks.gpu.job import Job
from benchmarks.gpu.parts import PARTS
from distill.core.errors import DistillError

_POLL_S = 0.5


def end_with_parent() -> None:
    """End this process and those that it started when the one that started it ends, however that ends: left alone
    they would hold the card.
    """
    parent = os.getppid()

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_S)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def main(asked: str) -> int:
    """Measure a part and write its figures; returns the exit code. Args: asked: JSON with `part` and `job`."""
    given = json.loads(asked)
    try:
        job = Job.from_json(given["job"])
        job.keep(PARTS[given["part"]].measure(job))
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    end_with_parent()
    sys.exit(main(sys.argv[1]))
