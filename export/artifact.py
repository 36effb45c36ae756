"""An exported file on its way into a bundle, with what was chosen and measured for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.targets.base import Target


@dataclass(frozen=True)
class Artifact:
    """One exported file with what was measured on it.

    Attributes:
        target: what the file was made by.
        folder: holds the target's model file and `parity.json`.
        temperature: T that calibrates softmax(logits / T), fitted on validation.
        operating_points: name to least probability *after* the temperature, chosen on validation; None if not reached.
        quality: split name to the quality block of report.json, measured with this file.
        p50_ms: median milliseconds of one record; None where latency was not measured.
    """

    target: Target
    folder: Path
    temperature: float = 1.0
    operating_points: Mapping[str, float | None] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    p50_ms: float | None = None


def named(artifacts: Sequence[Artifact]) -> dict[str, Artifact]:
    """Each artifact under its name in a bundle: its precision, or its target's where another one has taken that."""
    found: dict[str, Artifact] = {}
    for one in artifacts:
        found[one.target.name if one.target.precision in found else one.target.precision] = one
    return found
