"""One call of `distill predict` with its memory: `python -m benchmarks.batch_call BUNDLE FILE OUT OPTIONS`.

Prints one line of JSON: `seconds`, `rows_per_s`, and the peak resident bytes of the process and of its largest worker.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from distill.core.files import Json
from export.batch.predict import predict_files
from export.predict_options import PredictOptions

_EVERY_S = 0.1


def call(bundle: Path, file: Path, out: Path, options: Json) -> Json:
    """What one call took. Args: options: of `PredictOptions`."""
    peaks: dict[int, int] = {}
    threading.Thread(target=_watch, args=(peaks,), daemon=True).start()
    started = time.monotonic()
    found = predict_files(bundle, [str(file)], PredictOptions(out=out, **options))
    seconds = time.monotonic() - started
    own, workers = _peak_bytes("self") or 0, max(peaks.values(), default=0)
    keys = {} if found.table is None else {"keys": found.table.keys}
    memory = {"peak_bytes": own, "worker_peak_bytes": workers}
    return {"seconds": seconds, "rows": found.rows, "rows_per_s": found.rows_per_s, **memory, **keys}


def _watch(peaks: dict[int, int]) -> None:
    """Keep what the system says of each worker; its peak only grows."""
    while True:
        for process in multiprocessing.active_children():
            if process.pid is not None and (peak := _peak_bytes(str(process.pid))) is not None:
                peaks[process.pid] = peak
        time.sleep(_EVERY_S)


def _peak_bytes(process: str) -> int | None:
    """Peak resident bytes of a process since its program began; None of one that is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


def main(arguments: Sequence[str]) -> None:
    """The process."""
    bundle, file, out, options = arguments
    print(json.dumps(call(Path(bundle), Path(file), Path(out), json.loads(options))))


if __name__ == "__main__":
    main(sys.argv[1:])
