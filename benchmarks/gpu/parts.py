"""The parts of the GPU kit, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from benchmarks.gpu.job import Job
from distill.core.errors import unknown_name
from distill.core.files import Json


class Part(NamedTuple):
    """One part of the kit.

    Attributes: title: of its chapter. minutes: that it may take. module: in benchmarks/gpu, with `measure(job)`, its
        figures, JSON-ready, and where the part needs something `missing(job)`, what it lacks here, in words. tested:
        whether another test makes it worth repeating. last: whether it takes what time is left.
    """

    title: str
    minutes: float
    module: str
    tested: bool = False
    last: bool = False

    def measure(self, job: Job) -> Json:
        """Its figures."""
        found: Json = import_module(f"benchmarks.gpu.{self.module}").measure(job)
        return found

    def missing(self, job: Job) -> Sequence[str]:
        """What it lacks here; such a part is left out."""
        if self.module not in _NEEDING:
            return ()
        found: Sequence[str] = import_module(f"benchmarks.gpu.{self.module}").missing(job)
        return found


_NEEDING = ("marked_tests", "quality")  # these import no library, so that a bare machine can ask
PARTS = {
    "parity": Part("Parity of exported files", 2.0, "artifacts"),
    "labelling": Part("Labelling speed", 1.2, "labelling"),
    "training": Part("A training step", 1.2, "training"),
    "serving": Part("Latency and throughput of a student", 2.0, "serving"),
    "tests": Part("Tests that need a card", 1.2, "marked_tests", tested=True),
    "quality": Part("Tables of quality", 8.0, "quality", last=True),
}


def chosen(names: Sequence[str]) -> dict[str, Part]:
    """The parts with these names in their order, all where none is named. Raises: UserError for an unknown one."""
    for name in names:
        if name not in PARTS:
            raise unknown_name("part", name, PARTS, "--parts")
    return {name: part for name, part in PARTS.items() if not names or name in names}
