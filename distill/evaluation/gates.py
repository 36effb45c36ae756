"""The gates of a project: required figure, measured figure, passed or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from distill.core.files import Json
from distill.core.limits import Limits
from distill.core.project import DECLARED, Gates
from distill.evaluation.direction import gain
from distill.evaluation.entries import Gate, ModelFigures, Parity

LEAK, VALIDATION, TEACHER = "leak", "validation_rows", "teacher_over_priors"
_NAMED_ROWS = 10
_FIDELITY = {
    "int8_shift_max": "shift_max",
    "int8_shift_mean": "shift_mean",
    "int8_points": "points",
    "int8_class_loss": "class_loss",
}
PARITY, RETENTION, OVER_GOLD = "parity", "retention.card", "over_gold"
CLASS_FLOOR = "class_floor"
SHIFT, DECISIONS, CLASS_F1 = "shift_max", "decisions", "class_f1"


def leak_gate(gates: Gates, audit: Mapping[str, Any]) -> list[Gate]:
    """Test rows that are also in train, valid or the pool; a failed gate names the first of them."""
    if gates.leak is None:
        return []
    rows, examples = audit["leak_rows"], audit.get("leak_examples", {})
    named = "; ".join(f"{test}: {', '.join(ids[:_NAMED_ROWS])}" for test, ids in examples.items())
    passed = rows <= gates.leak
    return [Gate(LEAK, None, gates.leak, rows, passed, why=named if named and not passed else None)]


def validation_gate(gates: Gates, rows: int | None) -> list[Gate]:
    """Rows of the validation split, on which everything is chosen; None before they are counted."""
    required = gates.validation_rows
    return [] if required is None or rows is None else [Gate(VALIDATION, None, required, rows, rows >= required)]


def teacher_gate(gates: Gates, choice: Mapping[str, Any] | None) -> list[Gate]:
    """By how much the labels that were taken beat the class shares in log loss on validation, lower bound.

    Of the shares of training and those of validation itself it is the ones that are harder to beat.

    Empty before the choice, without validation rows, and for labels made elsewhere, of which validation knows nothing.
    """
    required = gates.teacher_over_priors
    if required is None or not choice or choice.get("imported") or not choice["candidates"]:
        return []
    taken = next(one for one in choice["candidates"] if one["name"] == choice["taken"])
    high = taken["over_priors"]["high"]
    measured = None if high is None else -high
    return [Gate(TEACHER, choice["taken"], required, measured, measured is not None and measured > required)]


def judged_parity(gates: Gates, entries: Iterable[Json]) -> list[Json]:
    """The figures of each exported file with `required`, the limit of its criterion, and `passed`.

    Logits that are not finite never pass. Entries without a criterion, from versions that judged while measuring, are
    left out: their export is made again.

    Args: entries: of `parity.json`, with `limits`, what the target declares.
    """
    found = []
    for entry in entries:
        if "criterion" in entry:
            labels = _smaller(gates.int8_flips, _declared(entry).flips)
            limits = {"decisions": labels, "tolerance": entry.get("tolerance"), "parity": gates.parity_fp32}
            limit = limits[entry["criterion"]]
            measured = Parity.from_json(entry).measured
            within = limit is None or (measured is not None and measured <= limit)
            found.append({**entry, "required": limit, "passed": bool(entry["finite"] and within)})
    return found


def parity_gates(parity: Iterable[Parity]) -> list[Gate]:
    """One gate for each exported file, as its parity check decided."""
    return [Gate(PARITY, one.file, one.required, one.measured, bool(one.passed)) for one in parity]


def changes_gates(gates: Gates, parity: Iterable[Parity]) -> list[Gate]:
    """What each file changes of its model's answers on the validation rows that judge it, where its target declares how
    much it may; a failed gate names the class or operating point.
    """
    found = []
    for one in parity:
        within = _with_project(gates, one)
        for metric in (SHIFT, DECISIONS, CLASS_F1) if one.changes else ():
            required, (measured, at) = getattr(within, metric), _figure(one.changes, metric)
            if required is not None and measured is not None:
                passed = measured <= required
                found.append(Gate(metric, one.file, required, measured, passed, None if passed else at))
    return found


def exceeded(limits: Limits, changes: Json) -> list[str]:
    """The figures of `changed_answers` that are larger than a file's limits allow, by name."""
    found = {metric: (getattr(limits, metric), _figure(changes, metric)[0]) for metric in Limits.model_fields}
    return [name for name, (most, one) in found.items() if most is not None and one is not None and not one <= most]


def _with_project(gates: Gates, check: Parity) -> Limits:
    """The limits of a file: what its target declares, unless the project says otherwise."""
    declared = Limits.model_validate(check.limits or {})
    asked = {metric: getattr(gates, metric) for metric in (DECISIONS, CLASS_F1)}
    return declared.model_copy(update={metric: one for metric, one in asked.items() if one != DECLARED})


def _declared(entry: Json) -> Limits:
    return Limits.model_validate(entry.get("limits") or {})


def _smaller(one: float | None, other: float | None) -> float | None:
    return min(one, other) if one is not None and other is not None else one if other is None else other


def _figure(changes: Json | None, metric: str) -> tuple[float | None, str | None]:
    """A figure of `changed_answers` and where it was found."""
    figure = (changes or {}).get(metric)
    return (figure["value"], figure["at"]) if isinstance(figure, dict) else (figure, None)


def fidelity_gates(gates: Gates, models: Sequence[ModelFigures], parity: Sequence[Parity]) -> list[Gate]:
    """What each file judged by its decisions changes of its student's probabilities, decisions and classes.

    Logits need not agree there, but answers must. None for a file that was not evaluated.
    """
    judged = [check for check in parity if check.criterion == "decisions"]
    found = []
    for model in models:
        if model.fidelity and any(check.is_of(model.name) for check in judged):
            for metric, key in _FIDELITY.items():
                required, figure = getattr(gates, metric), model.fidelity[key]
                measured, at = _upper(figure)
                if required is not None:
                    passed = measured <= required
                    found.append(Gate(metric, model.name, required, measured, passed, None if passed else at))
    return found


def _upper(figure: float | Json) -> tuple[float, str | None]:
    """A figure of `fidelity` and where it was found; of one that depends on a chosen threshold its upper end."""
    if not isinstance(figure, dict):
        return figure, None
    upper: float = figure["high"] if "high" in figure else figure["value"]
    return upper, figure["at"]


def retention_gates(gates: Gates, models: Sequence[ModelFigures]) -> list[Gate]:
    """Lower bound of what each student and artifact keeps of the card teacher; none where there is no such teacher.

    One that fails by its bound alone says so: there the model needs no mending.
    """
    required = gates.retention_card
    if required is None:
        return []
    kept = [(model.name, (model.retention or {}).get("card")) for model in models if model.judged]
    found = []
    for name, card in ((name, card) for name, card in kept if card is not None):
        gate = _at_least(RETENTION, name, required, card["low"])
        if not gate.passed and card["value"] is not None and card["value"] >= required:
            why = f"it keeps {card['value']:.3g}, its interval is too wide: give more test rows"
            gate = replace(gate, why=why)
        found.append(gate)
    return found


def over_gold_gates(gates: Gates, models: Sequence[ModelFigures], explain: Callable[[ModelFigures], str]) -> list[Gate]:
    """Lower bound of each student's and artifact's gain over the better gold-only twin; none for one without twins.

    Args: explain: says why a model failed.
    """
    if gates.over_gold is None:
        return []
    found = []
    for model in models:
        if model.judged and model.over_gold:
            gate = _at_least(OVER_GOLD, model.name, gates.over_gold, gain(model.over_gold)["low"])
            found.append(gate if gate.passed else replace(gate, why=explain(model)))
    return found


def class_floor_gates(gates: Gates, models: Sequence[ModelFigures]) -> list[Gate]:
    """Lower bounds of what each student and artifact reaches on the classes that have a floor, on all test rows."""
    found = []
    for model in (model for model in models if model.judged and model.quality):
        quality = model.quality or {}
        for label, floor in (gates.class_floor or {}).items():
            for name, required in floor.asked.items():
                low = (quality["per_class"].get(label, {}).get(f"{name}_interval") or [None])[0]
                gate = _at_least(f"{CLASS_FLOOR}.{name}", model.name, required, low)
                why = None
                if low is None:
                    absent = label in quality.get("absent", ())
                    why = "no test row has the label" if absent else "too few test rows have the label for an interval"
                found.append(replace(gate, of_class=label, why=why))
    return found


def off_gates(gates: Gates) -> list[str]:
    """The names of the gates that the config sets to null."""
    return [name for name in Gates.model_fields if getattr(gates, name) is None]


def unasked_gates(gates: Gates) -> list[str]:
    """The names of the gates that have nothing to ask where there are no validation rows, as far as they are on."""
    return [name for name in (VALIDATION, TEACHER) if getattr(gates, name) is not None]


def of_seed(seed: int, gates: Iterable[Gate]) -> list[Gate]:
    """The gates that failed in the run of one seed, marked with it; a leak is the same in every seed and left out."""
    return [replace(gate, seed=seed) for gate in gates if not gate.passed and gate.metric != LEAK]


def _at_least(metric: str, subject: str, required: float, low: float | None) -> Gate:
    return Gate(metric, subject, required, low, low is not None and low >= required)
