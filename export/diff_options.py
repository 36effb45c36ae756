"""What `distill diff` is asked for, beside the bundles and the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from distill.core.errors import UserError, unknown_name
from distill.core.flags import Flag, at_least_one
from distill.core.shares import share_of

FORMATS = ("table", "json", "pr")


@dataclass(frozen=True)
class DiffOptions:
    """What the command line says of the comparison."""

    limit: Annotated[str | None, Flag("Most changed labels or decisions: 0.5%. Above it the exit code is 3.")] = None
    slice: Annotated[str | None, Flag("Column to count by as well.")] = None
    label: Annotated[str | None, Flag("Column of labels; by default the project's or `label`, where there is one.")] = (
        None
    )
    format: Annotated[str, Flag("table, json, or pr: Markdown for a comment on a pull request.")] = "table"
    texts: Annotated[bool | None, Flag("Show texts; by default as `report.texts`.", "--texts/--no-texts")] = None
    examples: Annotated[int, Flag("Examples to keep, those with the largest change.")] = 10
    precision: Annotated[str | None, Flag("File of both bundles: int8; by default the one that each serves.")] = None
    threads: Annotated[int | None, Flag("Processor threads.")] = None

    def check(self) -> None:
        """Raises: UserError for a format or a number that is none."""
        if self.format not in FORMATS:
            raise unknown_name("format", self.format, FORMATS, "--format")
        at_least_one(threads=self.threads)
        if self.examples < 0:
            raise UserError("a number from 0 on is needed", where="--examples", found=self.examples)
        _ = self.most

    @property
    def most(self) -> float | None:
        """The largest share that may change. Raises: UserError for a limit that is none."""
        if self.limit is None:
            return None
        share = share_of(self.limit)
        if share is None or not 0 <= share <= 1:
            do = "write for example 0.5% or 0.005"
            raise UserError("a limit is a share of rows", where="--limit", found=self.limit, do=do)
        return share
