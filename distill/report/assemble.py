"""`report.json`: everything that a run has measured so far, gathered from its artifacts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.core.current import Current
from distill.core.files import Json
from distill.core.intake.source_overlaps import OVERLAPS_FILE
from distill.core.manifest import read_whole
from distill.core.project import Controls, Project
from distill.core.run_folder import (
    AUDIT,
    CHOICE,
    EVALUATION,
    EVALUATION_FILE,
    LATENCY,
    RECORDS,
    SELECTION,
    TWINS,
    VOCABULARIES,
    RunFolder,
)
from distill.core.selection.store import SELECTION_FILE
from distill.core.staged import COVERAGE_FILE
from distill.evaluation.entries import Gate, LatencyRow, Parity
from distill.evaluation.gates import (
    changes_gates,
    class_floor_gates,
    fidelity_gates,
    judged_parity,
    leak_gate,
    of_seed,
    off_gates,
    over_gold_gates,
    parity_gates,
    retention_gates,
    teacher_gate,
    unasked_gates,
    validation_gate,
)
from distill.evaluation.sending_costs import priced
from distill.report.causes import explained
from distill.report.contents import Report, gates_of, models_of, parity_of
from distill.report.disagreement_tables import with_texts
from distill.report.factors_table import FACTORS
from distill.report.lineage_table import lineage_entries
from distill.report.starts import start_entries
from distill.report.training import training_entries

SCHEMA = 1
_MEASURED = ("tests", "keys", "models", "twins", "comparisons")
_SHOWN = (
    "precision_recall",
    "confusion_matrix",
    "reliability",
    "disagreements",
    "slices_apart",
    "gaps",
    "calibration",
    "validation_order",
)


@dataclass(frozen=True)
class Exported:
    """An exported file. Attributes: folder: with its `parity.json`. limits: what its target declares, JSON-ready."""

    folder: Path
    limits: Json = field(default_factory=dict)


def assemble(
    project: Project,
    made: Current,
    exports: Mapping[str, Exported],
    stages: Sequence[Mapping[str, Any]],
    environment: Mapping[str, Any],
    folders: Mapping[str, Path],
) -> Report:
    """The content of report.json; sections whose artifact is not made yet, or no longer current, are empty.

    Args: exports: name in the report to each exported file, in the order of the report. stages: of `run.json`.
        environment: machine and versions. folders: name in the report to folder of each model that was
        trained.
    """
    audit = made.read(AUDIT, "audit.json") or {"rows": {}, "leak_rows": 0}
    evaluation = _evaluation(made)
    latency = made.read(LATENCY, "latency.json") or {"rows": [], "environment": {}, "settings": {}}
    found = {name: entry for name, one in exports.items() if (entry := read_whole(one.folder, "parity.json"))}
    limits = {name: {"limits": one.limits} if one.limits else {} for name, one in exports.items()}
    entries = [{**entry, "model": name, **limits[name]} for name, entry in found.items()]
    parity = judged_parity(project.gates, entries)
    task = project.task
    report = {
        "schema": SCHEMA,
        "task": {"labels": task.labels, "positive": task.positive, "kind": task.kind, "rows": _rows(audit)},
        "metric": project.quality.metric,
        "training_seed": project.weights_seed,
        "views": {name: {"max_tokens": view.max_tokens} for name, view in project.views.items()},
        **_measured(evaluation),
        "choice": made.read(CHOICE, "choice.json"),
        "asked_twins": made.read(TWINS, "twins.json"),
        "training_history": training_entries(folders),
        "starts": start_entries(folders),
        **(made.read(VOCABULARIES, "vocabularies.json") or {}),
        "latency": latency["rows"],
        **({FACTORS: latency["factors"]} if latency.get("factors") else {}),
        "parity": parity,
        "audit": audit,
        "stages": [{key: stage[key] for key in ("name", "seconds", "status")} for stage in stages],
        "environment": {**environment, **latency["environment"], "seed": project.seed, "bench": latency["settings"]},
    }
    if project.report.price_per_hour is not None:
        report["price_per_hour"] = project.report.price_per_hour
    if shared := made.read(RECORDS, OVERLAPS_FILE):
        report["source_overlaps"] = shared
    off = [name for name, one in Controls.model_fields.items() if one.default and not getattr(project.controls, name)]
    left_out = {"controls_off": off} if off else {}
    if not project.data.has_validation:
        report["unasked_gates"] = unasked_gates(project.gates)
    selection = made.read(SELECTION, SELECTION_FILE) if project.select is not None else None
    if selection is not None:
        report["selection"] = selection
    report |= _sent_on(project, evaluation, latency["rows"])
    if project.report.texts and report.get("disagreements"):
        report["disagreements"] = with_texts(report["disagreements"], made.run / RECORDS, project)
    if lineage := lineage_entries(made):
        report["lineage"] = lineage
    if cascades := _cascades(made, project.report.texts):
        report["cascades"] = cascades
    return {**report, "gates": _as_json(_gates(project, report)), "gates_off": off_gates(project.gates), **left_out}


def assemble_seeds(
    project: Project,
    made: Current,
    reports: Mapping[int, Report],
    stopped: Sequence[int],
    stages: Sequence[Mapping[str, Any]],
) -> Report:
    """The content of report.json over runs that differ in their training seed; the quality figures are means.

    Audit, latency, environment, the choice of labels and what it was against gold-only twins are the first run's, the
    choice with what every seed took; parity is the worst of the seeds, and training holds every fit. The gates are
    those of the means, then each that failed in a single seed.

    Args: reports: seed to report.json of each run that counts. stopped: seeds that a gate stopped before they were
        evaluated. stages: of all runs.
    """
    first = next(iter(reports.values()))
    evaluation = _evaluation(made)
    own = [gate for seed, report in reports.items() for gate in of_seed(seed, gates_of(report))]
    found = {
        **first,
        "seeds": evaluation.get("seeds", []),
        "stopped_seeds": list(stopped),
        **_measured(evaluation),
        **({"disagreements": first["disagreements"]} if first.get("disagreements") else {}),
        **_sent_on(project, evaluation, first["latency"]),
        "choice": _choice(reports),
        "training_history": [
            {"seed": seed, **fit} for seed, report in reports.items() for fit in report["training_history"]
        ],
        "parity": _worst([entry for report in reports.values() for entry in report["parity"]]),
        "stages": [{key: stage[key] for key in ("name", "seconds", "status")} for stage in stages],
    }
    return {**found, "gates": _as_json([*_gates(project, found), *own])}


def _gates(project: Project, report: Report) -> list[Gate]:
    gates, models = project.gates, models_of(report)
    return [
        *leak_gate(gates, report["audit"]),
        *(validation_gate(gates, report["task"]["rows"].get("valid")) if project.data.has_validation else []),
        *teacher_gate(gates, report["choice"]),
        *parity_gates(parity_of(report)),
        *changes_gates(gates, parity_of(report)),
        *fidelity_gates(gates, models, parity_of(report)),
        *retention_gates(gates, models),
        *over_gold_gates(gates, models, lambda model: explained(report, model)),
        *class_floor_gates(gates, models),
    ]


def _as_json(gates: Sequence[Gate]) -> list[Json]:
    return [gate.as_json() for gate in gates]


def _evaluation(made: Current) -> Json:
    empty: Json = {**dict.fromkeys(_MEASURED, []), "twins": {}}
    return {**empty, **(made.read(EVALUATION, EVALUATION_FILE) or {})}


def _measured(evaluation: Json) -> Json:
    """What of the evaluation the report has as it is."""
    return {
        key: evaluation[key]
        for key in ("references", "baseline", "out_of_fold", *_MEASURED, *_SHOWN, "joined")
        if key in evaluation
    }


def _sent_on(project: Project, evaluation: Json, latency: Sequence[Json]) -> Json:
    """`fall_through`: the curves of the evaluation with what each share costs; nothing where there are none."""
    curves, timed = evaluation.get("fall_through"), [LatencyRow.from_json(row) for row in latency]
    if not curves:
        return {}
    found = priced(curves, timed, project.fall_through, project.quality.metric)
    return {"fall_through": [one.as_json() for one in found]}


def _choice(reports: Mapping[int, Report]) -> Json | None:
    """The first seed's choice of labels, with what each seed took."""
    taken = {str(seed): report["choice"]["taken"] for seed, report in reports.items() if report["choice"]}
    first = next(iter(reports.values()))["choice"]
    return {**first, "taken_by_seed": taken} if first else None


def _cascades(made: Current, texts: bool) -> list[Json]:
    """What the stages of each cascade came to, with the cascade's name.

    Args: texts: whether a server's words may be there, which may quote a row.
    """
    names = sorted(path.parent.name for path in made.run.glob(f"labels/*/{COVERAGE_FILE}"))
    found = [
        {"teacher": name, **content} for name in names if (content := made.read(RunFolder.labels(name), COVERAGE_FILE))
    ]
    if not texts:
        for stage in (stage for cascade in found for stage in cascade["stages"]):
            stage["errors"] = _kinds(stage["errors"]) if stage.get("errors") else stage.get("errors")
    return found


def _kinds(errors: Mapping[str, int]) -> dict[str, int]:
    """How often each kind of error came: its words without what was found, in brackets."""
    kinds: Counter[str] = Counter()
    for words, count in errors.items():
        kinds[words.partition(" (")[0]] += count
    return dict(kinds)


def _worst(parity: Sequence[Json]) -> list[Json]:
    """One entry for each exported file: that of the seed where it deviates most."""
    found: dict[str, list[Json]] = {}
    for entry in parity:
        found.setdefault(Parity.from_json(entry).file, []).append(entry)
    return [max(entries, key=lambda entry: _deviation(Parity.from_json(entry))) for entries in found.values()]


def _deviation(check: Parity) -> tuple[bool, float, float]:
    flips, difference = (
        math.inf if figure is None else float(figure) for figure in (check.label_flips, check.max_abs_diff)
    )
    return not check.passed, flips, difference


def _rows(audit: Mapping[str, Any]) -> dict[str, int]:
    """Rows of each labelled split. A row may count for several classes or none, so these are no sums of classes."""
    found: Counter[str] = Counter()
    for source in audit["rows"].get("by_source", {}).values():
        found.update({split: rows for split, rows in source["kept_in"].items() if not split.startswith("pool.")})
    return dict(found)
