"""What `distill predict` is asked for, beside the bundle and the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from distill.core.flags import Flag


@dataclass(frozen=True)
class PredictOptions:
    """What the command line says of the answers."""

    out: Annotated[Path | None, Flag("Where answers go, in the format of its name.")] = None
    operating_point: Annotated[str | None, Flag("Name of an operating point of the positive class.")] = None
    precision: Annotated[str | None, Flag("fp32, the default, or another one that the bundle holds: int8.")] = None
    threads: Annotated[int | None, Flag("Processor threads.")] = None
