"""What `distill retune` is asked for, beside the bundle and the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from distill.core.flags import Flag


@dataclass(frozen=True)
class RetuneOptions:
    """What the command line says of the new bundle."""

    out: Annotated[Path | None, Flag("The new bundle; by default BUNDLE-retuned, beside it.")] = None
    label: Annotated[str | None, Flag("Column of the labels; by default the project's, else `label`.")] = None
    keys: Annotated[
        list[str] | None, Flag("Column whose equal values belong together; repeats. By default the project's.")
    ] = None
    at: Annotated[list[str] | None, Flag("One more operating point: precision>=0.9, recall>=0.8; repeats.")] = None
    class_mix: Annotated[list[str] | None, Flag("Share of a label where it serves: LABEL=0.3; repeats.")] = None
    costs: Annotated[str | None, Flag("Costs by label and answer: a YAML file, or 0,1;5,0 in the labels' order.")] = (
        None
    )
    threads: Annotated[int | None, Flag("Processor threads.")] = None
