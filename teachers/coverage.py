"""What each stage of a cascade labelled, how often that was right where gold is known, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.files import Json, write_json
from distill.core.label_space import LabelSpace
from distill.core.progress import note
from distill.core.record_store import iter_records
from distill.core.soft_labels import EMPTY, OK, UNLABELLED, SoftLabels, read_soft_labels
from distill.core.staged import COVERAGE_FILE, GUESS, StageCost, read_staged
from distill.evaluation.proportions import wilson

NONE = "unlabelled"
_MANY, _LISTED = 20, 5  # classes from which on not all are told, and how many are then
Classes = NDArray[np.int64]


def write_coverage(folder: Path, records: Path, space: LabelSpace) -> Json | None:
    """Write `coverage.json` of a whole label store that has stages; returns its content, None where it has none.

    Accuracy is counted on training rows, whose gold no stage has seen, with Wilson's interval.
    """
    found = read_staged(folder)
    if found is None:
        return None
    _, staged = found
    labels = read_soft_labels(folder)
    predicted = labels.logits.argmax(axis=1)
    gold = _gold(records, labels)
    stages, usable = np.array(staged.stage), np.array([one == OK for one in labels.status])
    names = [*staged.costs, *([GUESS] if GUESS in staged.stage else [])]
    rows = [_stage(name, usable & (stages == name), predicted, gold, staged.costs.get(name)) for name in names]
    classes = Counter(predicted[usable].tolist())
    known = Counter(gold[gold >= 0].tolist())
    labelled = Counter(source for source, ok in zip(labels.sources, usable, strict=True) if ok)
    content: Json = {
        "rows": len(labels),
        "labelled": int(usable.sum()),
        NONE: labels.status.count(UNLABELLED),
        "empty": labels.status.count(EMPTY),
        "stages": rows,
        "sources": {
            source: {"rows": count, "labelled": labelled[source]} for source, count in Counter(labels.sources).items()
        },
        "classes": [
            {
                "label": label,
                "rows": classes[number],
                "share": _share(classes[number], classes.total()),
                "gold_share": _share(known[number], known.total()),
            }
            for number, label in enumerate(space.labels)
        ],
    }
    write_json(folder / COVERAGE_FILE, content)
    for line in coverage_lines(content):
        note(line)
    return content


def coverage_lines(content: Json) -> list[str]:
    """A sentence for each stage, and one for what is left and for the classes."""
    lines = [_line(stage, content["rows"]) for stage in content["stages"]]
    if any(one["rows"] for one in content["classes"]):
        lines.append(f"labels by class: {_classes(content['classes'])}")
    left = content[NONE]
    return [*lines, f"{left} of {content['rows']} rows have no label: no stage was sure of them"] if left else lines


def _classes(classes: Sequence[Json]) -> str:
    """The share of each class, of many classes only of the largest, and how far apart they are."""
    ordered = sorted(classes, key=lambda one: one["rows"])
    least, most, without = ordered[0], ordered[-1], [one["label"] for one in classes if not one["rows"]]
    shown = classes if len(classes) <= _MANY else ordered[: -_LISTED - 1 : -1]
    told = ", ".join(f"{one['label']} {one['share']:.1%}" for one in shown)
    if len(shown) < len(classes):
        told += f", these the largest of {len(classes)}"
    if not without:
        return f"{told}, {most['rows'] / least['rows']:.1f} to 1"
    more = f" and {len(without) - _LISTED} more" if len(without) > _LISTED else ""
    return f"{told}, none of {', '.join(without[:_LISTED])}{more}"


def _line(stage: Json, rows: int) -> str:
    accuracy = stage["accuracy"]
    right = (
        f"{accuracy['value']:.1%} ({accuracy['low']:.1%}–{accuracy['high']:.1%}) right on {stage['gold_rows']} "
        "training rows"
        if accuracy["value"] is not None
        else "no gold row among them"
    )
    cost = f"{stage['seconds']:.1f} s" + (f", {stage['requests']} requests" if stage["requests"] else "")
    cost += f", {stage['money']:.4f} of money" if stage["money"] else ""
    passed = "".join(f"; {count} rows went past it: {why}" for why, count in (stage["errors"] or {}).items())
    share = stage["rows"] / rows if rows else 0
    return f"stage {stage['stage']}: {stage['rows']} rows ({share:.1%}), {right}; {cost}{passed}"


def _stage(name: str, own: NDArray[np.bool_], predicted: Classes, gold: Classes, cost: StageCost | None) -> Json:
    known = own & (gold >= 0)
    right, cost = int((predicted[known] == gold[known]).sum()), cost or StageCost()
    count = int(known.sum())
    return {
        "stage": name,
        "rows": int(own.sum()),
        "asked": cost.asked,
        "accuracy": wilson(right / count if count else 0.0, count),
        "gold_rows": count,
        "seconds": round(cost.seconds, 3),
        "requests": cost.requests,
        "money": round(cost.money, 6),
        "errors": cost.errors,
    }


def _gold(records: Path, labels: SoftLabels) -> Classes:
    """The gold class of each row, int64 (N,); -1 without."""
    known = {
        record.id: int(record.target.argmax()) for record in iter_records(records, "train") if record.target is not None
    }
    pairs = zip(labels.ids, labels.sources, strict=True)
    return np.array([known.get(name, -1) if source == "train" else -1 for name, source in pairs], np.int64)


def _share(count: int, total: int) -> float | None:
    return count / total if total else None
