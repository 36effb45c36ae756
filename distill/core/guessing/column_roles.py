"""Which column is the id, the label, the slice, and which belong to which side, by their names and values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from distill.core.errors import UserError
from distill.core.guessing.columns import Column

MOST_GROUPS = 50
_ROWS_PER_CLASS = 2
_LABELS = (
    *("label", "labels", "class", "gold", "y", "relevance", "relevant", "answer", "votes", "intent", "stance"),
    *("sentiment", "polarity", "emotion", "match", "winner", "preference", "preferred"),
    *("is_match", "is_duplicate", "is_same", "is_similar", "is_paraphrase", "is_relevant", "is_correct", "is_answer"),
    *("is_spam", "is_toxic", "is_hate", "is_offensive", "is_fraud", "is_positive", "is_negative", "is_sarcastic"),
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
    exact, unsure = _named(columns)
    return next(iter([*exact, *unsure]), None)


def label_columns(columns: Mapping[str, Column]) -> list[str]:
    """The columns that may be the label, the likeliest first: by their names, then by their few values.

    Values have no say where a name is one of labels alone, nor is a column of many the label beside another one.
    Raises: UserError where there is none.
    """
    exact, unsure = _named(columns)
    found = [*exact, *unsure, *([] if exact else _few_valued(columns))]
    if not found:
        raise UserError("no column looks like a label", found=", ".join(columns), do="add a column named label")
    first, *others = dict.fromkeys(found)
    return [first, *(name for name in others if name in columns and columns[name].distinct <= MOST_GROUPS)]


def facts(columns: Mapping[str, Column], others: Sequence[str]) -> list[str]:
    """Of the other columns that may be the label those that are facts about the text: `target` beside `stance`.

    Their names are of labels in some tasks only, and another column's name is of labels alone.
    """
    exact, unsure = _named(columns)
    return [name for name in others if exact and name in unsure]


def _named(columns: Mapping[str, Column]) -> tuple[list[str], list[str]]:
    """The columns whose name is of labels alone, and those whose name may be, with values as labels have.

    Votes, a column per class below the name, come after those; without any of them what is named so counts as it is.
    """
    lowered = {name.lower(): name for name in reversed(list(columns))}
    flags = [name for name in lowered if name.startswith("is_")]
    sure, unsure = (
        [name for name in (lowered[label] for label in names if label in lowered) if _has_labels(columns[name])]
        for names in (_LABELS, (*_AMBIGUOUS, *flags))
    )
    votes = [path.partition(".")[0] for path in columns if "." in path or not (sure or unsure)]
    sure += [name for name in votes if name in _LABELS]
    unsure += [name for name in votes if name in _AMBIGUOUS]
    return list(dict.fromkeys(sure)), [name for name in dict.fromkeys(unsure) if name not in sure]


def _has_labels(column: Column) -> bool:
    return column.path == "label" or 1 < column.distinct <= column.rows / _ROWS_PER_CLASS


def _few_valued(columns: Mapping[str, Column]) -> list[str]:
    """Top-level columns with 2 to 50 values, fewest first."""
    few = [column for column in columns.values() if 2 <= column.distinct <= MOST_GROUPS and "." not in column.path]
    few = [column for column in few if column.name not in SLICES and column.rows > 2 * column.distinct]
    return [column.path for column in sorted(few, key=lambda column: column.distinct)]


def slice_column(columns: Mapping[str, Column], taken: set[str]) -> str | None:
    """The first column named like a group of records that has 2 to 50 values."""
    names = [name for name in SLICES if name in columns and name not in taken and columns[name].is_scalar]
    return next((name for name in names if 2 <= columns[name].distinct <= MOST_GROUPS), None)


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
