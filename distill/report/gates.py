"""The gates of a project: required figure, measured figure, passed or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from distill.core.errors import GateFailed
from distill.core.project import Gates
from distill.report import formats
from distill.report.causes import explained
from distill.report.table_model import Report, dig, entries

LEAK, VALIDATION, TEACHER = "leak", "validation_rows", "teacher_over_priors"
_JUDGED = ("student", "artifact")
# What an export is judged by, by its target's criterion: the limit in `gates`, the figure in parity.json.
_PARITY = {"parity": ("parity_fp32", "max_abs_diff"), "decisions": ("int8_flips", "label_flips")}


def leak_gate(gates: Gates, audit: dict[str, Any]) -> list[dict[str, Any]]:
    """Test rows that also stand in train, valid or the pool."""
    if gates.leak is None:
        return []
    rows = audit["leak_rows"]
    return [_gate(LEAK, gates.leak, rows, rows <= gates.leak)]


def validation_gate(gates: Gates, rows: int | None) -> list[dict[str, Any]]:
    """Rows of the validation split, on which everything is chosen; None before they are counted."""
    if gates.validation_rows is None or rows is None:
        return []
    return [_gate(VALIDATION, gates.validation_rows, rows, rows >= gates.validation_rows)]


def teacher_gate(gates: Gates, choice: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """By how much the labels that were taken beat the class priors in log loss on validation, lower bound.

    None of them before the choice, and for labels made elsewhere, of which validation knows nothing.
    """
    if gates.teacher_over_priors is None or not choice or choice.get("imported"):
        return []
    taken = next(one for one in choice["candidates"] if one["name"] == choice["taken"])
    high, required = taken["over_priors"]["high"], gates.teacher_over_priors
    measured = None if high is None else -high
    return [_gate(f"{TEACHER} {choice['taken']}", required, measured, measured is not None and measured > required)]


def require_teacher(report: Report, where: str) -> None:
    """Check that the labels that were taken know something. Raises: GateFailed before anything is labelled."""
    failed = [gate for gate in entries(report, "gates") if gate["name"].startswith(TEACHER) and not gate["passed"]]
    if failed:
        choice = dig(report, "choice")
        models = list(dig(choice, "teachers"))
        endings = [
            f"{fit['model']}: {fit['reason']}" for fit in entries(report, "training_history") if fit["model"] in models
        ]
        raise GateFailed(
            f"the teacher knows no more than the class shares, so the pool was not labelled: {', '.join(models)}",
            where=where,
            found="; ".join([*map(gate_line, failed), *endings]),
            do="check the labels and the view's fields, train longer (ceiling_steps, patience; no max_steps or "
            "epochs) or at another learning rate, or start from a better encoder; gates.teacher_over_priors: null "
            "labels all the same",
        )


def judged_parity(gates: Gates, entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The figures of each exported file with `required`, the limit of its criterion, and `passed`.

    An answer that was not finite never passes. Entries without a criterion, from versions that judged while measuring,
    are left out: their export is made again.
    """
    found = []
    for entry in entries:
        if "criterion" in entry:
            limit, figure = _PARITY[entry["criterion"]]
            required, measured = getattr(gates, limit), entry[figure]
            within = required is None or (measured is not None and measured <= required)
            found.append({**entry, "required": required, "passed": bool(entry["finite"] and within)})
    return found


def parity_gates(parity: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One gate for each exported file, as `judged_parity` decided."""
    return [
        _gate(
            f"parity {entry['name']}.{entry['target']}",
            entry["required"],
            entry[_PARITY[entry["criterion"]][1]],
            entry["passed"],
        )
        for entry in parity
    ]


def retention_gates(gates: Gates, models: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lower bound of what each student and artifact keeps of the card teacher; none where there is no such teacher."""
    if gates.retention_card is None:
        return []
    required = gates.retention_card
    kept = [(model["name"], (model["retention"] or {}).get("card")) for model in models if model["role"] in _JUDGED]
    lows = [(name, card["low"]) for name, card in kept if card is not None]
    return [_gate(f"retention.card {name}", required, low, low is not None and low >= required) for name, low in lows]


def over_gold_gates(gates: Gates, report: Report) -> list[dict[str, Any]]:
    """Lower bound of each student and artifact minus the better gold-only twin; none for a student without twins.

    A failed one says `why`: by how much, and the causes that the run has measured.

    Args: report: with `models`, `training_history` and `choice`, as far as they are measured.
    """
    if gates.over_gold is None:
        return []
    required, found = gates.over_gold, []
    for model in entries(report, "models"):
        apart = dig(model, "over_gold") if model["role"] in _JUDGED else {}
        if apart:
            low = apart["low"]
            passed = low is not None and low >= required
            why = {} if passed else {"why": explained(report, model)}
            found.append({**_gate(f"over_gold {model['name']}", required, low, passed), **why})
    return found


def off_gates(gates: Gates) -> list[str]:
    """The names of the gates that the config sets to null."""
    return [name for name in Gates.model_fields if getattr(gates, name) is None]


def of_seed(seed: int, gates: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The gates that failed in the run of one seed, named after it; a leak is the same in every seed and left out."""
    failed = [gate for gate in gates if not gate["passed"] and gate["name"] != LEAK]
    return [{**gate, "name": f"seed {seed}: {gate['name']}"} for gate in failed]


def require(gates: Sequence[dict[str, Any]], where: str) -> None:
    """Check that every gate passed. Raises: GateFailed listing each that did not, with both figures and why."""
    failed = [gate for gate in gates if not gate["passed"]]
    if failed:
        raise GateFailed(
            f"{len(failed)} of {len(gates)} gates failed, no bundle was made",
            where=where,
            found="; ".join(map(gate_line, failed)),
            do="read the report, then mend the cause; a gate set to null in the config is off",
        )


def gate_line(gate: Mapping[str, Any]) -> str:
    """A gate as errors show it: what was required, what was measured and, where the gate says so, why."""
    required, measured = (formats.plain(gate[key]) for key in ("required", "measured"))
    figures = f"{gate['name']}: required {required}, measured {measured}"
    return f"{figures} ({gate['why']})" if gate.get("why") else figures


def _gate(name: str, required: Any, measured: Any, passed: bool) -> dict[str, Any]:
    return {"name": name, "required": required, "measured": measured, "passed": bool(passed)}
