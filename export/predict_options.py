"""What `distill predict` is asked for, beside the bundle and the files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from distill.core.errors import UserError, unknown_name
from distill.core.flags import Flag, at_least_one
from distill.inference.providers import AUTO, NAMES

RULES = ("error", "first", "mean")
"""What a key has whose rows have different answers: none, that of its first row, that of the mean probabilities."""


@dataclass(frozen=True)
class PredictOptions:
    """What the command line says of the answers."""

    out: Annotated[Path | None, Flag("Where answers go, in the format of its name.")] = None
    operating_point: Annotated[str | None, Flag("Name of an operating point of the positive class.")] = None
    precision: Annotated[str | None, Flag("fp32, the default, or another one that the bundle holds: int8.")] = None
    provider: Annotated[str, Flag("What runs the model: cpu, cuda or tensorrt; auto takes the best.")] = "auto"
    threads: Annotated[int | None, Flag("Processor threads of each worker.")] = None
    workers: Annotated[int | None, Flag("Processes; by default one for each core, one for a short file or GPU.")] = None
    key: Annotated[str | None, Flag("One row per value of this column, in place of one per record: page.url.")] = None
    conflicts: Annotated[str | None, Flag("With --key, where rows differ: error (default), first or mean.")] = None
    fall_through: Annotated[float | None, Flag("Share to send on to the teacher: adds send_on to each answer.")] = None

    def check(self) -> None:
        """Raises: UserError for values that no machine can follow, and for options that do not go together."""
        at_least_one(threads=self.threads, workers=self.workers)
        if self.provider not in (AUTO, *NAMES):
            raise unknown_name("provider", self.provider, (AUTO, *NAMES), "--provider")
        if self.conflicts is not None and self.conflicts not in RULES:
            raise unknown_name("rule", self.conflicts, RULES, "--conflicts")
        if self.conflicts is not None and self.key is None:
            raise UserError("answers without --key have no conflicts", where="--conflicts", do="add --key COLUMN")

        if self.fall_through is not None and self.key is not None:
            do = "leave one of them out: nobody sends the rows of a table on"
            raise UserError("a table by key has no column send_on", where="--fall-through", do=do)

    @property
    def rule(self) -> str:
        """Of `RULES`."""
        return self.conflicts or RULES[0]
