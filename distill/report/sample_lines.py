"""What `distill sample` says on the console: what was drawn, and what a filled sheet says of the labels."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.files import Json
from distill.evaluation.statistics import Interval

_LISTED = 10


def drawn_lines(found: Json) -> list[str]:
    """A sheet that was drawn for checking."""
    lines = [
        f"{found['rows']} of {found['labelled']} labelled rows of the pool in {found['sheet']}; "
        f"{found['strata_drawn']} of {found['strata']} combinations of stage, class and confidence are in it",
        *(f"  {_stage(one)}: {one['rows']} of {one['pool_rows']} rows ({_bands(one)})" for one in found["stages"]),
        f"fill the column label with one of: {', '.join(found['labels'])}; leave the other columns as they are",
        f"key, which says how they were labelled: {found['key']}",
    ]
    return lines


def proposal_lines(found: Json) -> list[str]:
    """A sheet that was drawn for labelling."""
    reasons = ", ".join(f"{rows} {name}" for name, rows in found["reasons"].items())
    lines = [f"{found['rows']} of {found['pool']} rows of the pool in {found['sheet']}: {reasons}"]
    if found["rows"] < found["budget"]:
        lines.append(
            f"{found['budget']} were asked for; the others have a text that is in the sheet or has gold already"
        )
    if not found["compared_with"]:
        lines.append(f"only {found['teacher']} has labelled, so no row is disputed")
    if found["uncovered_slices"]:
        lines.append(f"slices of the pool without a row of gold: {', '.join(found['uncovered_slices'])}")
    return lines


def check_lines(found: Json) -> list[str]:
    """A sheet that came back."""
    lines = [
        f"{found['rows']} rows judged; labels of {found['teacher']} are right in {shown_share(found['accuracy'])} of "
        f"{found['labelled']} labelled rows of the pool, kappa {shown_kappa(found['kappa'])}",
        "each row counts as often as it stands for rows of its stage, class and confidence (95% intervals of Wilson)",
        *(f"  {_stage(one)}: {_right(one)}, {one['pool_rows']} rows of the pool" for one in found["stages"]),
        *(f"  labelled {one['label']}: {_right(one)}" for one in found["classes"]),
        *_imbalance(found["shares"]),
    ]
    return [*lines, *_between(found)]


def _imbalance(shares: list[Json]) -> Iterator[str]:
    yield "classes in the labelled pool, by the labels and as the judge's answers estimate it:"
    for one in shares:
        outside = (
            one["judged"]["low"] is not None and not one["judged"]["low"] <= one["labels"] <= one["judged"]["high"]
        )
        mark = "  ← outside the interval" if outside else ""
        yield f"  {one['label']}: {one['labels']:.1%} by the labels, {shown_share(one['judged'])} judged{mark}"


def _between(found: Json) -> Iterator[str]:
    if "judges" not in found:
        return
    judges = found["judges"]
    apart = judges["disagreements"]
    yield (
        f"the second judge agrees with the first on {shown_share(judges['agreement'])} of {judges['rows']} rows, kappa "
        f"{shown_kappa(judges['kappa'])}; by the second judge {shown_share(found['second']['accuracy'])} of the labels "
        "are right"
    )
    for one in apart[:_LISTED]:
        yield f"  {one['id']}: {one['first']} and {one['second']}"
    if len(apart) > _LISTED:
        yield f"  … and {len(apart) - _LISTED} more"


def _right(one: Json) -> str:
    if not one["rows"]:
        return "no row in the sheet"
    return f"{one['right']} of {one['rows']} right, {shown_share(one['accuracy'])}"


def _stage(one: Json) -> str:
    return f"stage {one['stage']}" if one["stage"] else "all"


def _bands(one: Json) -> str:
    return ", ".join(f"{rows} of {band} confidence" for band, rows in one["bands"].items())


def shown_share(value: Interval) -> str:
    """A share in percent with its interval."""
    if value["value"] is None or value["low"] is None or value["high"] is None:
        return "–"
    return f"{value['value']:.1%} ({value['low']:.1%}–{value['high']:.1%})"


def shown_kappa(value: float | None) -> str:
    """A kappa with three decimals."""
    return "–" if value is None else f"{value:.3f}"
