"""What goes into a bundle: exported files with what was chosen and measured for each, and all that belongs to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.label_space import LabelSpace
from distill.core.publishing import NOT_STATED
from export.targets.base import Target

if TYPE_CHECKING:
    from export.drift_reference import Reference


@dataclass(frozen=True)
class Artifact:
    """One exported file with what was measured on it.

    Attributes:
        target: what the file was made by.
        folder: holds the target's model file and `parity.json`.
        temperature: T that calibrates softmax(logits / T), fitted on validation.
        operating_points: name to least probability *after* the temperature, chosen on validation; None if not reached.
        class_thresholds: of records with several labels, label to the probability from which on it holds; else empty.
        fall_through: bands and curves of the records that it is not sure of, as in report.json; empty: it has none.
        quality: split name to the quality block of report.json, measured with this file.
    """

    target: Target
    folder: Path
    temperature: float = 1.0
    operating_points: Mapping[str, float | None] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    class_thresholds: Mapping[str, float] = field(default_factory=dict)
    fall_through: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """All that a bundle is made from.

    Attributes:
        name: of the student. model_folder: Hugging Face folder with its view.
        license: SPDX expression, or "not stated". project: the resolved project as YAML; None: not known.
        finished: artifact of the run to when it was finished.
        artifacts: one of each target, at least one of them judged by parity; those that passed the gates.
        space: the task's labels. lineage: what the model was made from, JSON-ready.
        latency: rows of report.json.
        real_records: `{"id", "record"}` for golden.jsonl besides the synthetic ones; only texts that may be published.
        seed: of the synthetic records.
        reference: records to compare later ones with; None: the bundle cannot tell drift.
    """

    name: str
    model_folder: Path
    artifacts: Sequence[Artifact]
    space: LabelSpace
    lineage: Mapping[str, Any]
    latency: Sequence[Mapping[str, Any]] = ()
    real_records: Sequence[Mapping[str, Any]] = ()
    seed: int = 1
    reference: Reference | None = None
    license: str = NOT_STATED
    project: str | None = None
    finished: Mapping[str, str] = field(default_factory=dict)


def named(artifacts: Sequence[Artifact]) -> dict[str, Artifact]:
    """Each artifact under its name in a bundle: its precision, or its target's where another one has taken that."""
    found: dict[str, Artifact] = {}
    for one in artifacts:
        found[one.target.name if one.target.precision in found else one.target.precision] = one
    assert len(found) == len(artifacts), f"two artifacts have one name: {[one.target.name for one in artifacts]}"
    return found
