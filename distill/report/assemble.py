"""`report.json`: everything that a run has measured so far, gathered from its artifacts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.files import read_json
from distill.core.project import Project
from distill.report.gates import leak_gate, of_seed, parity_gates, retention_gates

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


def assemble_seeds(
    project: Project,
    run: Path,
    reports: Mapping[int, Mapping[str, Any]],
    stopped: Sequence[int],
    stages: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The content of report.json over runs that differ in their training seed; the quality figures are means.

    Audit, latency and environment are the first run's, whose rows every run shares; parity is the worst of the seeds.
    The gates are those of the means, then each that failed in a single seed.

    Args: reports: seed to report.json of each run that counts. stopped: seeds that a gate stopped before they were
        evaluated. stages: of all runs.
    """
    first = next(iter(reports.values()))
    evaluation = _optional(run / "evaluation" / "evaluation.json") or {"tests": [], "models": [], "comparisons": []}
    parity = _worst([entry for report in reports.values() for entry in report["parity"]])
    gates = project.gates
    own = [gate for seed, report in reports.items() for gate in of_seed(seed, report["gates"])]
    return {
        **first,
        "seeds": evaluation.get("seeds", []),
        "stopped_seeds": list(stopped),
        "tests": evaluation["tests"],
        "models": evaluation["models"],
        "comparisons": evaluation["comparisons"],
        "parity": parity,
        "gates": [
            *leak_gate(gates, first["audit"]),
            *parity_gates(parity),
            *retention_gates(gates, evaluation["models"]),
            *own,
        ],
        "stages": [{key: stage[key] for key in ("name", "seconds", "status")} for stage in stages],
    }


def _worst(parity: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each exported file: that of the seed where it deviates most."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in parity:
        found.setdefault((entry["name"], entry["target"]), []).append(entry)
    return [max(entries, key=_deviation) for entries in found.values()]


def _deviation(entry: Mapping[str, Any]) -> tuple[bool, float, float]:
    flips, difference = (
        math.inf if entry[key] is None else float(entry[key]) for key in ("label_flips", "max_abs_diff")
    )
    return not entry["passed"], flips, difference


def _rows(audit: Mapping[str, Any]) -> dict[str, int]:
    """Rows of each split."""
    classes = audit.get("balance", {}).get("classes", {})
    return {split: sum(counts.values()) for split, counts in classes.items()}


def _optional(path: Path) -> Any:
    return read_json(path) if path.exists() else None
