"""`report.json`: everything that a run has measured so far, gathered from its artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.files import read_json
from distill.core.project import Project
from distill.report.gates import leak_gate, parity_gates, retention_gates

SCHEMA = 1


def assemble(
    project: Project,
    run: Path,
    exports: Sequence[Path],
    stages: Sequence[Mapping[str, Any]],
    environment: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of report.json; sections whose artifact is not made yet are empty.

    Args: exports: export folders, in the order of the report. stages: of `run.json`. environment: machine and versions.
    """
    audit = _optional(run / "records" / "audit.json") or {"rows": {}, "leak_rows": 0}
    evaluation = _optional(run / "evaluation" / "evaluation.json") or {"tests": [], "models": [], "comparisons": []}
    latency = _optional(run / "latency" / "latency.json") or {"rows": [], "environment": {}, "settings": {}}
    parity = [entry for folder in exports if (entry := _optional(folder / "parity.json"))]
    task, gates = project.task, project.gates
    return {
        "schema": SCHEMA,
        "task": {"labels": task.labels, "positive": task.positive, "kind": task.kind, "rows": _rows(audit)},
        "tests": evaluation["tests"],
        "models": evaluation["models"],
        "comparisons": evaluation["comparisons"],
        "latency": latency["rows"],
        "parity": parity,
        "gates": [*leak_gate(gates, audit), *parity_gates(parity), *retention_gates(gates, evaluation["models"])],
        "audit": audit,
        "stages": [{key: stage[key] for key in ("name", "seconds", "status")} for stage in stages],
        "environment": {**environment, **latency["environment"], "seed": project.seed, "bench": latency["settings"]},
    }


def _rows(audit: Mapping[str, Any]) -> dict[str, int]:
    """Rows of each split."""
    classes = audit.get("balance", {}).get("classes", {})
    return {split: sum(counts.values()) for split, counts in classes.items()}


def _optional(path: Path) -> Any:
    return read_json(path) if path.exists() else None
