"""Which column is the id, the label, the slice, and which belong to which side, by their names and values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from distill.core.errors import UserError
from distill.core.guessing.columns import Column

_MOST_VALUES = 50
_ROWS_PER_CLASS = 2
_LABELS = (
    *("label", "labels", "class", "gold", "y", "relevance", "relevant", "answer", "votes", "intent", "stance"),
    *("sentiment", "polarity", "emotion", "match", "is_match", "is_duplicate"),
    *("метка", "метки", "класс", "разметка", "ответ", "интент", "намерение", "тональность", "эмоция"),
)
# Labels of some tasks, facts about the text in others.
_AMBIGUOUS = (
    *("target", "category", "topic", "rating", "stars"),
    *("категория", "тема", "тематика", "рубрика", "оценка"),
)
SLICES = (
    *("slice", "segment", "group", "domain", "vertical", "source", "category", "lang", "language"),
    *("сегмент", "группа", "домен", "источник", "категория", "язык"),
)
_SIDES = (
    ("left", "right"),
    ("product", "page"),
    ("query", "document"),
    ("query", "doc"),
    ("question", "passage"),
    ("premise", "hypothesis"),
    ("a", "b"),
    ("1", "2"),
    ("first", "second"),
)


def id_column(tables: Sequence[Mapping[str, Column]]) -> str | None:
    """A column that is named like an identity and unique in every file: `id` first; None where there is none."""
    common = [
        name
        for name in tables[0]
        if all(name in table and table[name].unique and table[name].is_scalar for table in tables)
    ]
    named = [name for name in common if is_key(name) or is_number(name)]
    return min(named, key=lambda name: (name != "id", not is_key(name), "." in name, len(name)), default=None)


def is_number(path: str) -> bool:
    """Whether a column is named like the number of a row: `index`, `guid`, `Unnamed: 0`, as pandas writes it."""
    return bool(re.search(r"(^|[_.])(index|idx|guid|uuid|number|no|nr|номер|№)$|^unnamed: 0$", path.lower()))


def is_key(path: str) -> bool:
    """Whether a column is named like an identity: `product_id`, `page.key`, `offerId`, `id_left`."""
    named = r"(^|[_.])(u?id|ID|Id|key|ид|ИД|Ид|айди|ключ)$|[a-z](Id|ID)$"
    return bool(re.search(named, re.sub(r"_(a|b|1|2|left|right)$", "", path)))


def named_label(columns: Mapping[str, Column]) -> str | None:
    """The column that is named like a label."""
    return next(iter([*_named(columns, exact=True), *_named(columns, exact=False)]), None)


def label_columns(columns: Mapping[str, Column]) -> list[str]:
    """The columns that may be the label, the likeliest first: by their names, then by their few values.

    Values have no say where a name is one of labels alone, nor is a column of many the label beside another one.
    Raises: UserError where there is none.
    """
    exact, ambiguous = _named(columns, exact=True), _named(columns, exact=False)
    found = [*exact, *ambiguous, *([] if exact else _few_valued(columns))]
    if not found:
        raise UserError("no column looks like a label", found=", ".join(columns), do="add a column named label")
    first, *others = dict.fromkeys(found)
    return [first, *(name for name in others if name in columns and columns[name].distinct <= _MOST_VALUES)]


def _named(columns: Mapping[str, Column], *, exact: bool) -> list[str]:
    """The columns whose name is one of labels, with values as labels have. Args: exact: of labels alone.

    Votes, a column per class below the name, come after those; without any of them what is named so counts as it is.
    """
    names = _LABELS if exact else _AMBIGUOUS
    lowered = {name.lower(): name for name in reversed(list(columns))}
    found = [lowered[label] for label in names if label in lowered]
    found += [name for label, name in lowered.items() if exact and label.startswith("is_")]
    found = [
        name for name in found if name == "label" or 1 < columns[name].distinct <= columns[name].rows / _ROWS_PER_CLASS
    ]
    votes = [path.partition(".")[0] for path in columns if "." in path or not found]
    return list(dict.fromkeys([*found, *(name for name in votes if name in names)]))


def _few_valued(columns: Mapping[str, Column]) -> list[str]:
    """Top-level columns with 2 to 50 values, fewest first."""
    few = [column for column in columns.values() if 2 <= column.distinct <= _MOST_VALUES and "." not in column.path]
    few = [column for column in few if column.name not in SLICES and column.rows > 2 * column.distinct]
    return [column.path for column in sorted(few, key=lambda column: column.distinct)]


def slice_column(columns: Mapping[str, Column], taken: set[str]) -> str | None:
    """The first column named like a group of records that has 2 to 50 values."""
    names = [name for name in SLICES if name in columns and name not in taken and columns[name].is_scalar]
    return next((name for name in names if 2 <= columns[name].distinct <= _MOST_VALUES), None)


def side_columns(columns: Mapping[str, Column], taken: set[str]) -> dict[str, int]:
    """Column to side, 0 or 1: by a dotted prefix, a known pair of names, or a name that differs in its ending only."""
    free = [path for path in columns if path not in taken and path.partition(".")[0] not in taken]
    prefixes = list(dict.fromkeys(path.partition(".")[0] for path in free if "." in path))
    texts = [prefix for prefix in prefixes if any(columns[p].is_text for p in free if p.startswith(f"{prefix}."))]
    if len(texts) == 2:
        return {path: texts.index(path.partition(".")[0]) for path in free if path.partition(".")[0] in texts}
    for pair in _SIDES:
        found = {path: side for path in free for side in (0, 1) if _belongs(path, pair[side])}
        if {0, 1} <= {side for path, side in found.items() if columns[path].is_text}:
            return found
    return {}


def _belongs(path: str, side: str) -> bool:
    """Whether a flat name is the side's, or carries it as a prefix or an ending: `question`, `left_title`, `text_a`."""
    if side.isdigit():
        return path.endswith(side)
    return path == side or path.startswith(f"{side}_") or path.endswith(f"_{side}")


def key_columns(
    columns: Mapping[str, Column], sides: Mapping[str, int], labelled: Sequence[Mapping[str, Column]]
) -> list[str]:
    """The identity column of each side that groups most: fewest values among those named like a key.

    The one with the most values comes first, as intervals need 30 values of the first in every split.
    """
    keys = []
    for side in (0, 1):
        own = [path for path, found in sides.items() if found == side and is_key(path)]
        own = [path for path in own if columns[path].values and all(path in table for table in labelled)]
        own = [path for path in own if columns[path].is_scalar]
        if own:
            keys.append(min(own, key=lambda path: columns[path].distinct))
    return sorted(keys, key=lambda path: -columns[path].distinct)
