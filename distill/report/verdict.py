"""The first sentences of a report: the model to take against its baselines, what is wrong, which gates passed."""

from __future__ import annotations

from typing import Any

from distill.evaluation.direction import sign
from distill.evaluation.entries import REMEASURED
from distill.evaluation.majority import MAJORITY
from distill.report import formats
from distill.report.advice import advice, kept_of_teachers
from distill.report.caveats import caveats
from distill.report.certainty import drawn_keys
from distill.report.contents import Report, dig, gates_of, metric_figure, parity_of, positive_label, timed_teacher
from distill.report.labels_tables import choice_sentence
from distill.report.names import CONTROLS, metric_name
from distill.report.outcome import is_stopped, is_unfinished, outcome_sentence
from distill.report.table_model import ModelRow, model_rows


def sentences(report: Report) -> list[str]:
    """Everything that a reader has to know first, in order; the page and the terminal say the same."""
    row = headline_model(report)
    stop = outcome_sentence(report) if not _failed_gates(report) else ""
    found = [stop, headline(report), gates_sentence(report)]
    found += [] if row is None else advice(report, row)
    found += [] if row is None else caveats(report, row)
    found += [choice_sentence(report), seeds_sentence(report)]
    return [sentence for sentence in found if sentence]


def state(report: Report) -> str:
    """One word for the page.

    `failed` when any gate failed or the run stopped, `passed` when a run that ended has measured a model and every gate
    passed, else `open`.
    """
    if _failed_gates(report) or is_stopped(report):
        return "failed"
    results = [gate.passed for gate in gates_of(report)]
    measured = headline_model(report) is not None and not is_unfinished(report)
    return "passed" if measured and results and all(result is True for result in results) else "open"


def gates_sentence(report: Report) -> str:
    """How many gates passed, the names of those that did not, and the gates and controls that the config leaves out."""
    off, left_out = (report.get(key) or [] for key in ("gates_off", "controls_off"))
    parts = [_gates(report)]
    parts += [f"Set off by hand: {_listed(off)}."] if off else []
    parts += [f"Not compared with: {_listed([CONTROLS.get(name, name) for name in left_out])}."] if left_out else []
    return " ".join(parts)


def _gates(report: Report) -> str:
    gates = gates_of(report)
    failed = _failed_gates(report)
    unknown = [gate.name for gate in gates if not isinstance(gate.passed, bool)]
    if not gates:
        return "No gates were checked."
    if failed:
        return f"{len(failed)} of {_count(len(gates))} failed: {', '.join(failed)}."
    if unknown:
        return f"{len(unknown)} of {_count(len(gates))} not measured: {', '.join(unknown)}."
    measured = f" in seed {_listed(report.get('seeds') or [])}" if report.get("stopped_seeds") else ""
    if is_stopped(report) or is_unfinished(report):
        asked = "The one gate" if len(gates) == 1 else f"The {_count(len(gates))}"
        return f"{asked} asked so far passed."
    return f"All {_count(len(gates))} passed{measured}." if len(gates) > 1 else f"The one gate passed{measured}."


def _failed_gates(report: Report) -> list[str]:
    return [gate.name for gate in gates_of(report) if gate.passed is False]


def seeds_sentence(report: Report) -> str:
    """Over which seeds the figures are means, and what is of one seed only; empty where nothing was measured."""
    seeds, stopped = (report.get(key) or [] for key in ("seeds", "stopped_seeds"))
    parts = []
    if len(seeds) > 1:
        over = "test rows and seeds" if "keys" in report else "test rows"
        parts.append(f"Quality: mean of {len(seeds)} seeds ({_listed(seeds)}); intervals are over {over}.")
    elif headline_model(report) is not None:
        one = seeds[0] if seeds else report.get("training_seed")
        named = "one training seed" if one is None else f"one seed: {one}"
        parts.append(f"Quality: {named}; intervals are over test rows, another seed may be outside them.")
    parts += drawn_keys(report) if headline_model(report) is not None else []
    if seeds and report.get("latency"):
        parts.append(f"Latency: seed {seeds[0]}.")
    if stopped:
        parts.append(f"Stopped by a gate and left out: seed {_listed(stopped)}.")
    return " ".join(parts)


def headline(report: Report) -> str:
    """The model to take, its better gold-only twin, the teachers and the majority answer, with intervals."""
    row = headline_model(report)
    if row is None:
        return "No model has been measured yet."
    name = metric_name(str(report.get("metric") or "f1_macro"), positive_label(report))
    speed = formats.times(row.latency.speedup_vs_teacher)
    timed = timed_teacher(report)
    unknown = timed is None or speed == formats.MISSING or row.model.role == "teacher"
    at_speed = "" if timed is None or unknown else f" at {speed} the speed of {timed.model}"
    kept = kept_of_teachers(report, row)
    first = f"{row.name}: {name} {_figure(report, row)}{f', {kept},' if kept else ''}{at_speed}".removesuffix(",")
    others = [f"{called} {_figure(report, other)}" for called, other in _controls(report, row)]
    return f"{first}; {', '.join(others)}." if others else f"{first}."


def _controls(report: Report, row: ModelRow) -> list[tuple[str, ModelRow]]:
    """What the model to take is compared with: its twin, every teacher on its own view, fitted controls, majority."""
    rows = {other.name: other for other in model_rows(report) if other.quality and other.name != row.name}
    twin = str(dig(row.model.over_gold).get("twin"))
    teachers = [name for name, other in rows.items() if other.model.is_teacher]
    fitted = [name for name, other in rows.items() if other.model.control and other.model.parameters]
    named = [("trained on gold alone", twin), *((name, name) for name in (*teachers, *fitted))]
    named.append(("majority answer", MAJORITY))
    return [(called, rows[name]) for called, name in named if name in rows]


def _figure(report: Report, row: ModelRow) -> str:
    return formats.metric_interval(report.get("metric"), metric_figure(report, row.quality), decimals=1)


def headline_model(report: Report) -> ModelRow | None:
    """The fastest artifact that failed no check of its own, then such a student; then the fastest of those that did.

    Where no latency was measured, and of teachers alone, it is the one with the best figure in the report's metric.
    """
    measured = [row for row in model_rows(report) if row.quality and row.name != MAJORITY and not row.model.control]
    measured = [row for row in measured if row.model.role != REMEASURED]
    sound = [row for row in measured if not _failed_alone(report, row.name)]
    for rows in (sound, measured):
        for role in ("artifact", "student"):
            if found := [row for row in rows if row.model.role == role and row.model.judged]:
                return max(found, key=lambda row: (_speed(row), _quality_of(report, row)))
    return max(measured, key=lambda row: _quality_of(report, row), default=None)


def _failed_alone(report: Report, name: str) -> bool:
    """Whether parity or a gate of this model failed."""
    checks = [check for check in parity_of(report) if check.is_of(name)]
    subjects = {name, *(check.file for check in checks)}
    failed = any(gate.passed is False and gate.subject in subjects for gate in gates_of(report))
    return failed or any(check.passed is False for check in checks)


def _listed(seeds: list[Any]) -> str:
    return ", ".join(map(str, seeds))


def _count(gates: int) -> str:
    return f"{gates} gates" if gates != 1 else "1 gate"


def _quality_of(report: Report, row: ModelRow) -> float:
    return sign(str(report.get("metric"))) * (formats.number(metric_figure(report, row.quality)) or 0.0)


def _speed(row: ModelRow) -> float:
    return formats.number(row.latency.speedup_vs_teacher) or 0.0
