"""What `distill diff` found: sentences and tables for a terminal, and a short comment for a pull request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from distill.core.errors import GateFailed
from distill.core.files import Json
from distill.core.output import for_markdown
from distill.report import formats
from distill.report.finding import Finding, Lines, Part
from distill.report.table_model import Column, Sheet
from distill.report.tables import markdown

_SLICES, _EXAMPLES, _CHARACTERS = 20, 5, 160
_Row = tuple[str, Json]


def diff_finding(found: Json, form: str) -> Finding:
    """What is told of two bundles. Args: form: `table`, `json` or `pr`."""
    parts: list[Part] = [Lines((comment(found),))] if form == "pr" else list(_parts(found))
    failed = None
    if found["exceeded"]:
        what, do = "more answers change than may", "look at the examples; a larger --limit lets it pass"
        failed = GateFailed(what, where=found["new"]["bundle"], found="; ".join(_exceeded(found)), do=do)
    return Finding(found, parts, failed=failed)


def counts_sheet(found: Json) -> Sheet:
    """Changed labels and decisions."""
    columns = [
        Column("Answer", lambda row: row[0], kind="text"),
        Column("Changed", lambda row: formats.integer(row[1]["changed"])),
        Column("% of rows", lambda row: _share(row[1])),
        Column("Became positive", _moved("gained")),
        Column("No longer", _moved("lost")),
    ]
    caption = f"{formats.integer(found['labels']['rows'])} rows; 95% intervals as if each row were its own."
    return Sheet(caption, columns, _answers(found))


def right_sheet(found: Json) -> Sheet:
    """Which of the models was right, of rows with a label; no rows where there is no label."""
    columns = [
        Column("Answer", lambda row: row[0], kind="text"),
        *(Column(head, _right(key)) for key, head in _RIGHT.items()),
    ]
    gold = found["labels"]["right"]
    caption = "" if gold is None else f"Of {formats.integer(gold['rows'])} rows with a label. "
    caption += "p: exact, that neither is right more often (McNemar)."
    return Sheet(caption, columns, [] if gold is None else _answers(found))


def _answers(found: Json) -> list[_Row]:
    return [("labels", found["labels"]), *found["points"].items()]


_RIGHT = {
    "old_right": "Old right",
    "new_right": "New right",
    "only_old_right": "Only old",
    "only_new_right": "Only new",
    "p_value": "p",
}


def transitions_sheet(found: Json) -> Sheet:
    """Changed rows by old and new label; of several labels, rows that gained and lost each."""
    if found["transitions"] and "label" in found["transitions"][0]:
        columns = [_text("Label", "label"), _count("Gained", "gained"), _count("Lost", "lost")]
        return Sheet("Rows that gained and lost a label.", columns, found["transitions"])
    columns = [_text("Old label", "old"), _text("New label", "new"), _count("Rows", "rows")]
    return Sheet("Changed labels.", columns, found["transitions"])


def slices_sheet(found: Json) -> Sheet:
    """Changed answers in each slice, the largest share of changed labels first."""
    columns = [
        Column("Slice", lambda row: row[0] or "no slice", kind="text"),
        Column("Rows", lambda row: formats.integer(row[1]["labels"]["rows"])),
        Column("Labels, %", lambda row: _share(row[1]["labels"])),
        *(Column(f"{name}, %", _in_slice(name), spare=place) for place, name in enumerate(found["points"], 1)),
    ]
    rows = sorted(found["slices"].items(), key=lambda row: -row[1]["labels"]["share"]["value"])
    return Sheet(f"Changed in each {found['slice']}.", columns, rows)


def examples_sheet(found: Json, most: int | None = None) -> Sheet:
    """Changed rows, the largest change of a probability first."""
    shown = found["examples"][:most]
    columns = [
        Column("Row", _row, kind="text"),
        Column("Old", lambda one: _side(one, "old"), kind="text"),
        Column("New", lambda one: _side(one, "new"), kind="text"),
        *([Column("Gold", lambda one: _answer(one["gold"]), kind="text")] if any(one["gold"] for one in shown) else []),
        *([Column("Text", _texts, kind="prose")] if any("texts" in one for one in shown) else []),
    ]
    return Sheet("The largest changes of a probability among changed answers.", columns, shown)


def comment(found: Json) -> str:
    """Markdown for a pull request: verdict, counts, and behind a fold slices, labels, examples and what was
    compared.
    """
    parts = [f"### {for_markdown(_headline(found))}", "", *map(for_markdown, _exceeded(found)), ""]
    for sheet in (counts_sheet(found), right_sheet(found)):
        parts += [markdown(sheet), ""] if sheet.rows else []
    slices, moved, examples = slices_sheet(found), transitions_sheet(found), examples_sheet(found, _EXAMPLES)
    if slices.rows:
        cut = Sheet(slices.caption, slices.columns, list(slices.rows)[:_SLICES])
        more = len(slices.rows) - _SLICES
        parts += _folded(f"By {found['slice']}", markdown(cut), *([f"and {more} more"] if more > 0 else []))
    if moved.rows:
        parts += _folded("Changed labels", markdown(Sheet(moved.caption, moved.columns, list(moved.rows)[:_SLICES])))
    if examples.rows:
        parts += _folded(f"{len(examples.rows)} examples", markdown(examples))
    parts += _folded("What was compared", *(f"- {for_markdown(line)}" for line in (*_compared(found), *_notes(found))))
    return "\n".join(parts).rstrip("\n")


def _parts(found: Json) -> Iterator[Part]:
    yield _headline(found)
    yield from _exceeded(found)
    for sheet in (counts_sheet(found), right_sheet(found), transitions_sheet(found), slices_sheet(found)):
        if sheet.rows:
            yield ""
            yield sheet
    yield ""
    if found["examples"]:
        yield "The largest changes of a probability among changed answers:"
        yield from (line for one in found["examples"] for line in _example(one))
        yield ""
    yield from (*_compared(found), *_notes(found))


def _headline(found: Json) -> str:
    labels = found["labels"]
    rows, share = formats.integer(labels["rows"]), formats.percent(labels["share"])
    verdict = "" if found["limit"] is None else "above the limit: " if found["exceeded"] else "within the limit: "
    return f"{verdict}{formats.integer(labels['changed'])} of {rows} labels change ({share}%)"


def _exceeded(found: Json) -> list[str]:
    return [
        f"{formats.percent(one['share'])}% of {_named(one['what'])} change, at most {100 * found['limit']:.4g}% may."
        for one in found["exceeded"]
    ]


def _compared(found: Json) -> Iterator[str]:
    for side in ("old", "new"):
        one = found[side]
        yield f"{side}: {one['bundle']} ({one['name']}, {one['file']}, seal {one['seal'][:12]})"
    yield f"file: {found['file']}"
    change = found["probability_change"]["mean"]
    yield f"A probability changes by {100 * change:.3g} points on average."


def _notes(found: Json) -> Iterator[str]:
    for side in ("old", "new"):
        if names := found[f"only_{side}"]:
            yield f"Only the {side} bundle has {', '.join(names)}: not compared."
    if found["unknown_labels"]:
        yield f"No labels of the bundles in column {found['label_column']}, read as none: {found['unknown_labels']}"
    left = found["left_out"]
    if left["rows"]:
        listed = "; ".join(f"line {one['line']}: {one['reason']}" for one in left["first"][:_EXAMPLES])
        more = f"; and {left['rows'] - _EXAMPLES} more" if left["rows"] > _EXAMPLES else ""
        yield f"{left['rows']} {'row is' if left['rows'] == 1 else 'rows are'} left out: {listed}{more}"


def _folded(title: str, *lines: str) -> list[str]:
    """Lines that a reader opens; Markdown needs the empty ones."""
    return [f"<details><summary>{for_markdown(title)}</summary>", "", *lines, "", "</details>", ""]


def _named(what: str) -> str:
    return "labels" if what == "labels" else f"decisions at {what}"


def _share(count: Json) -> str:
    return formats.percent_interval(count["share"])


def _moved(key: str) -> Callable[[_Row], str]:
    return lambda row: formats.MISSING if row[0] in ("labels", "class_f1") else formats.integer(row[1][key])


def _right(key: str) -> Callable[[_Row], str]:
    def cell(row: _Row) -> str:
        value = (row[1]["right"] or {}).get(key)
        return formats.p_value(value) if key == "p_value" else formats.integer(value)

    return cell


def _in_slice(name: str) -> Callable[[_Row], str]:
    return lambda row: _share(row[1]["points"][name])


def _text(head: str, key: str) -> Column:
    return Column(head, lambda row: str(row[key]), kind="text")


def _count(head: str, key: str) -> Column:
    return Column(head, lambda row: formats.integer(row[key]))


def _example(one: Json) -> Iterator[str]:
    """An example over several lines: side by side its cells fit no terminal."""
    gold = f", gold {_answer(one['gold'])}" if one["gold"] else ""
    yield f"{_row(one)}{gold}"
    yield from (f"  {side}: {_side(one, side)}" for side in ("old", "new"))
    if text := _texts(one):
        yield f"  {text}"


def _row(one: Json) -> str:
    return str(one["id"] or f"line {one['line']}")


def _side(example: Json, side: str) -> str:
    """A label with its probability, the points at which the row counts as positive, and the labels that hold at one."""
    answer, chances = example[side], example[f"{side}_probabilities"]
    held = [answer] if isinstance(answer, str) else answer
    named = ", ".join(f"{label} {chances[label]:.3f}" for label in held) or "none"
    at = {name: sides[side == "new"] for name, sides in example["points"].items()}
    decided = [name for name, one in at.items() if one is True]
    told = [f"positive at {', '.join(decided)}"] if decided else []
    told += [f"{', '.join(one) or 'none'} at {name}" for name, one in at.items() if isinstance(one, list)]
    return f"{named} ({'; '.join(told)})" if told else named


def _answer(gold: Any) -> str:
    return formats.MISSING if gold is None else gold if isinstance(gold, str) else ", ".join(gold) or "none"


def _texts(example: Json) -> str:
    text = " | ".join(example.get("texts", ()))
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"
