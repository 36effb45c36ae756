"""Runs many seeded cases of one kind, each with its own random numbers, and tells the kinds of failures apart."""

from __future__ import annotations

import os
import random
import shutil
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from distill.core.errors import DistillError

SECONDS = 20
Case = Callable[[random.Random, Path], None]


def sized(slice_: int, whole: int) -> Any:
    """`cases`: a slice that runs with every test run, and the whole of `pytest -m fuzz`."""
    sizes = [pytest.param(slice_, id="slice"), pytest.param(whole, id="whole", marks=pytest.mark.fuzz)]
    return pytest.mark.parametrize("cases", sizes)


def fuzz(one: Case, cases: int, folder: Path) -> None:
    """Run `one` on `cases` seeds, each in an empty folder `work`.

    A case passes when it ends within 20 seconds, in success or in an error that is meant for users, and leaves no file
    outside its own folder. The seed is FUZZ_SEED, or else 1 for a slice and a new one for the whole; FUZZ_CASE runs one
    case of it.
    """
    whole = os.environ.get("FUZZ_WHOLE_SEED") or str(random.SystemRandom().randrange(10**6))
    seed = os.environ.get("FUZZ_SEED") or ("1" if cases < 2000 else whole)
    chosen = os.environ.get("FUZZ_CASE")
    failures: Counter[str] = Counter()
    first: dict[str, str] = {}
    for index in [int(chosen)] if chosen else range(cases):
        work = folder / "work"
        work.mkdir()
        before = set(folder.iterdir())
        try:
            with _limit(SECONDS):
                one(random.Random(f"{seed}/{index}"), work)
            assert set(folder.iterdir()) == before, f"files outside: {set(folder.iterdir()) - before}"
        except DistillError:
            pass
        except Exception as error:
            kind = _kind(error)
            failures[kind] += 1
            first.setdefault(
                kind, f"FUZZ_SEED={seed} FUZZ_CASE={index}\n{''.join(traceback.format_exception(error)[-6:])}"
            )
        shutil.rmtree(work, ignore_errors=True)
    if failures:
        listed = "\n\n".join(f"{count} cases like {first[kind]}" for kind, count in failures.most_common(8))
        pytest.fail(f"{failures.total()} of {cases} cases, {len(failures)} kinds:\n{listed}", pytrace=False)


def _kind(error: BaseException) -> str:
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    place = f"{own[-1].filename}:{own[-1].lineno}" if own else ""
    return f"{type(error).__name__} at {place}"


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"not finished after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
