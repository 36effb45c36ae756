"""How long a bundle takes from `import runtime` to its first answer; run in a fresh process, with the folder's path.

Needs what the bundle needs, nothing else. Prints one JSON object of milliseconds by part, and `total`.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

_STARTED = time.perf_counter()
_PARTS: dict[str, float] = {}


def _timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            _PARTS[part] = _PARTS.get(part, 0.0) + 1000 * (time.perf_counter() - start)

    return call


def main(folder: str, precision: str, threads: int) -> None:
    """Open a bundle and ask it for one answer."""
    sys.path.insert(0, folder)
    runtime: Any = __import__("runtime")
    _PARTS["imports"] = 1000 * (time.perf_counter() - _STARTED)
    runtime.checks.check = _timed("hashes", runtime.checks.check)
    runtime.checks.replay = _timed("golden records", runtime.checks.replay)
    runtime.rendering.Renderer = _timed("tokenizer", runtime.rendering.Renderer)
    runtime.Tokenizer = type("Timed", (), {"from_file": staticmethod(_timed("tokenizer", runtime.Tokenizer.from_file))})
    runtime.providers.open_session = _timed("session", runtime.providers.open_session)
    bundle = runtime.load_bundle(folder, precision, threads)
    start = time.perf_counter()
    bundle.predict([{"title": "one card"}])
    now = time.perf_counter()
    _PARTS["first answer"] = 1000 * (now - start)
    print(json.dumps({**_PARTS, "total": 1000 * (now - _STARTED)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
