"""The model card of a retuned bundle: the card of the old one, with what was chosen anew and on what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from distill.core.files import Json
from distill.core.output import as_markdown_code, for_markdown
from distill.report import formats
from export.model_card import mix_limit, not_calibrated

_SECTION = re.compile(r"^(?=## )", re.MULTILINE)
POINTS, CLASSES, RETUNED = "## Operating points of the positive label", "## Thresholds of each label", "## Retuned"
FALL_THROUGH = "## Fall-through"
_BEFORE = "## Latency"
_MIX = re.compile(re.escape(mix_limit("…")).replace("…", ".+"))
_AT_BOUND = re.compile(r"\n\n?" + re.escape(not_calibrated("…", "…")).replace("…", ".+"))
_AT = {"threshold": "threshold", "precision": "precision", "recall": "recall", "f1": "F1"}


def retuned_card(card: str, record: Mapping[str, Any], figures: Mapping[str, Json]) -> str:
    """The new card: what was chosen anew, and nothing that holds only for what was chosen before.

    Args: card: of the old bundle. record: `lineage.retuned_from`. figures: of each file, as `retune` has them.
    """
    mix = mix_limit("that is named under Retuned" if record["class_mix"] else "in the rows under Retuned")
    card = _MIX.sub(mix, _AT_BOUND.sub("", card))
    own = [_points(figures), _classes(figures), _retuned(record, figures)]
    new = "\n\n".join("\n".join(lines) for lines in own if lines) + "\n\n"
    kept = [part for part in _SECTION.split(card) if not part.startswith((POINTS, CLASSES, FALL_THROUGH, RETUNED))]
    place = next((number for number, part in enumerate(kept) if part.startswith(_BEFORE)), len(kept))
    return "".join([*kept[:place], new, *kept[place:]])


def _points(figures: Mapping[str, Json]) -> list[str]:
    rows = [
        [name, as_markdown_code(point, cell=True), *_measured(chosen, one["after"]["points"].get(point))]
        for name, one in figures.items()
        for point, chosen in one["points"].items()
    ]
    if not rows:
        return []
    return [
        POINTS,
        "",
        "The least probability, after the temperature, that counts as positive; chosen when the bundle was retuned (a",
        "dash: not reached there). Figures in percent are of each half of the rows at the other half's choice.",
        "",
        *_table(["file", "name", *_AT.values()], rows),
    ]


def _measured(chosen: Mapping[str, Any], measured: Mapping[str, Any] | None) -> Iterator[str]:
    yield formats.fixed(chosen["threshold"], 4)
    for figure in list(_AT)[1:]:
        yield formats.percent_interval((measured or {}).get(figure))


def _classes(figures: Mapping[str, Json]) -> list[str]:
    rows = [
        [name, for_markdown(label), f"{least:.4f}"]
        for name, one in figures.items()
        for label, least in one["class_thresholds"].items()
    ]
    if not rows:
        return []
    return [
        CLASSES,
        "",
        'From this probability, after the temperature, a label holds at `operating_point="class_f1"`; each was chosen',
        "for the F1 of its label when the bundle was retuned.",
        "",
        *_table(["file", "label", "threshold"], rows),
    ]


def _retuned(record: Mapping[str, Any], figures: Mapping[str, Json]) -> list[str]:
    keys = f", by {', '.join(map(as_markdown_code, record['keys']))}" if record["keys"] else ""
    lines = [
        RETUNED,
        "",
        "Temperature and thresholds are not those of Quality: they were chosen anew, without training, on",
        f"{record['rows']} labelled rows in {record['clusters']} clusters{keys}. The model files and the labels of",
        "answers are as they were. Log loss and ECE there and here are of other rows.",
        "",
        *_table(
            ["file", "temperature", "log loss before", "log loss", "ECE before", "ECE"], map(_row, figures.items())
        ),
        "",
        f"- rows: {for_markdown(record['file'])}, sha256 {record['file_sha256']}",
        f"- made from the bundle whose manifest.json has sha256 {record['manifest_sha256']}",
    ]
    lines += [not_calibrated(name, f"{one['temperature']:.4g}") for name, one in figures.items() if one["at_bound"]]
    if record["class_mix"]:
        mix = ", ".join(
            f"{for_markdown(label)} {formats.percent(share, 1)}%" for label, share in record["class_mix"].items()
        )
        lines.append(
            f"- chosen for the mix of labels {mix}: thresholds fit it, the probabilities are not shifted to it"
        )
    if record["positive_alone"] is not None:
        alone = as_markdown_code(record["positive_alone"])
        lines.append(f"- temperature, log loss and ECE are those of a yes or no, {alone} or any other label")
    if record["costs"]:
        lines.append(f"- costs, a row for each true label, in the labels' order: {record['costs']}")
    return lines


def _row(one: tuple[str, Json]) -> list[str]:
    name, found = one
    sides = [formats.metric_interval("log_loss", found[side]["log_loss"]) for side in ("before", "after")]
    errors = [formats.percent_interval(found[side]["ece"]) for side in ("before", "after")]
    return [name, f"{found['temperature_before']:.4g} → {found['temperature']:.4g}", *sides, *errors]


def _table(head: list[str], rows: Any) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
