"""The first sentences of a report: which gates hold, and what the fastest sound model keeps of its teacher."""

from __future__ import annotations

from typing import Any

from distill.report import formats
from distill.report.sheets import ModelRow, Report, dig, entries, model_rows


def state(report: Report) -> str:
    """One word: `failed` when any gate failed, `passed` when every gate passed, else `open`."""
    results = [gate.get("passed") for gate in entries(report, "gates")]
    if False in results:
        return "failed"
    return "passed" if results and all(result is True for result in results) else "open"


def gates_sentence(report: Report) -> str:
    """How many gates passed, and the names of those that did not."""
    gates = entries(report, "gates")
    failed = [str(gate.get("name")) for gate in gates if gate.get("passed") is False]
    unknown = [str(gate.get("name")) for gate in gates if not isinstance(gate.get("passed"), bool)]
    if not gates:
        return "No gates were checked."
    if failed:
        return f"{len(failed)} of {_count(len(gates))} failed: {', '.join(failed)}."
    if unknown:
        return f"{len(unknown)} of {_count(len(gates))} not measured: {', '.join(unknown)}."
    return f"All {_count(len(gates))} passed." if len(gates) > 1 else "The one gate passed."


def seeds_sentence(report: Report) -> str:
    """Over which seeds the figures are means, and what is of one seed only; empty for a single run."""
    seeds, stopped = (report.get(key) or [] for key in ("seeds", "stopped_seeds"))
    parts = []
    if seeds:
        count = "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
        parts.append(f"Quality: mean of {count} ({_listed(seeds)}); intervals are over test rows.")
    if seeds and report.get("latency"):
        parts.append(f"Latency: seed {seeds[0]}.")
    if stopped:
        parts.append(f"Stopped by a gate and left out: seed {_listed(stopped)}.")
    return " ".join(parts)


def headline(report: Report) -> str:
    """What the model of the headline keeps and how fast it is: the sentence that the report exists for."""
    row = headline_model(report)
    if row is None:
        return "No model has been measured yet."
    speed = formats.times(row.latency.get("speedup_vs_teacher"))
    unknown = speed == formats.MISSING or row.model.get("role") == "teacher"
    at_speed = "" if unknown else f" at {speed} the speed of {teacher_name(report, 'document')}"
    return f"{row.name} {_quality(report, row)}{at_speed}."


def headline_model(report: Report) -> ModelRow | None:
    """The fastest artifact that failed no check of its own; where there is none, the fastest such student, then any.

    Of teachers alone it is the one with the best macro F1.
    """
    measured = [row for row in model_rows(report) if row.quality]
    sound = [row for row in measured if not _failed_alone(report, row.name)]
    artifacts, students = ([row for row in sound if row.model.get("role") == role] for role in ("artifact", "student"))
    alone = all(row.model.get("role") == "teacher" for row in measured)
    return max(artifacts or students or sound or measured, key=_quality_of if alone else _speed, default=None)


def teacher_name(report: Report, view: str) -> str:
    """The name of the only teacher trained on `view`; "the document teacher" and so on for several or none."""
    names = [str(model.get("name")) for model in entries(report, "models") if model.get("role") == "teacher"]
    matching = [name for name in names if name.endswith(f"@{view}")]
    return matching[0] if len(matching) == 1 else f"the {view} teacher"


def _quality(report: Report, row: ModelRow) -> str:
    for view in ("card", "document"):
        kept = dig(row.model, "retention", view)
        share, pair = formats.percent(kept, 1), formats.bounds(kept)
        if share != formats.MISSING:
            interval = "" if pair is None else f" ({100 * pair[0]:.1f}–{100 * pair[1]:.1f})"
            return f"keeps {share}%{interval} of {teacher_name(report, view)}’s macro F1"
    return f"reaches a macro F1 of {formats.percent(row.quality.get('f1_macro'))}"


def _failed_alone(report: Report, name: str) -> bool:
    """Whether parity or a gate that names this model failed."""
    failed = [check for check in entries(report, "parity") if check.get("passed") is False]
    exported = {f"{check.get('name')}.{check.get('target')}" for check in failed}
    gates = [str(gate.get("name")) for gate in entries(report, "gates") if gate.get("passed") is False]
    # Parity is of a model in a target (`8L_trunc.onnx`), quality of what it reads too (`8L_trunc@card.onnx`).
    source, _, read = name.partition("@")
    short = f"{source}.{read.partition('.')[2]}"
    return bool(exported & {name, short}) or any(gate.endswith((f" {name}", f" {short}")) for gate in gates)


def _listed(seeds: list[Any]) -> str:
    return ", ".join(map(str, seeds))


def _count(gates: int) -> str:
    return f"{gates} gates" if gates != 1 else "1 gate"


def _quality_of(row: ModelRow) -> float:
    return formats.number(row.quality.get("f1_macro")) or 0.0


def _speed(row: ModelRow) -> float:
    return formats.number(row.latency.get("speedup_vs_teacher")) or 0.0
