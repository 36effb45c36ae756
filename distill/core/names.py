"""One rule for every name that becomes a path: of teachers, students, views, test sets and pools.

A name holds letters and digits, not only Latin ones, `_`, `.`, `+` and `-`. Names that differ only in case or Unicode
form count as equal, because they are one folder on some file systems. A label such as `8L_trunc@card.onnx` can be read
in one way only: no name holds `@`, and no view holds a dot.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from itertools import count

_SIGNS = "_.+-"
# Two names of this length in `NAME-gold-steps@VIEW.onnx-int8.replaced` stay under the 255 bytes of a file name.
_MOST_BYTES = 100
_MODELS = ("teachers", "students")
# Appended by our own code: to unfinished and replaced folders, and to students for their twins.
_ENDINGS = (".partial", ".replaced")
_TWIN_ENDINGS = ("-gold", "-gold-steps")
_NUMBERED = re.compile(r"-((fold|copy)\d+|kfold)$")  # of a teacher's further fits
# Rows that the report or a benchmark adds, and what `labels` takes besides a teacher's name.
_ROWS = {"majority", "priors", "ensemble", "mixture", "tfidf", "bag_of_tokens"}
_LABEL_SOURCES = {"auto", "document", "card", "mean", "mixture"}
_SHOWN, _CUT = 100, 40


def name_problems(section: str, names: Iterable[str]) -> list[str]:
    """One line, `NAME: what is wrong`, for each name that breaks the rule or means the same folder as another one.

    Args: section: dotted key of the names: `teachers`, `students`, `views`, `data.test`, `data.extra`, `data.pool`.
    """
    lines: list[str] = []
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(folded(name), name)
        problem = _problem(section, name)
        if problem is None and other != name:
            problem = f"differs from {shown(other)} only in case or Unicode form, so both would be one folder"
        if problem is not None:
            lines.append(f"{shown(name)}: {problem}")
    return lines


def folded(name: str) -> str:
    """A name without its case and Unicode form; two names are equal where these are."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def shown(name: str) -> str:
    """A name for a message: as it is, or quoted, escaped and cut where it is empty, long or not printable."""
    if name.isprintable() and 0 < len(name) <= _SHOWN:
        return name
    return repr(name[:_CUT]) + ("…" if len(name) > _CUT else "")


def as_name(text: str, taken: Collection[str], otherwise: str) -> str:
    """A name like `text` that no other one of `taken` is equal to; `otherwise` where nothing of it can stay."""
    kept = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", text)).strip("_-")
    kept = kept.encode()[: _MOST_BYTES // 2].decode(errors="ignore").rstrip("_-") or otherwise
    known = {folded(name) for name in taken}
    if folded(kept) not in known:
        return kept
    return next(name for number in count(1) if folded(name := f"{kept}_{number}") not in known)


def _problem(section: str, name: str) -> str | None:
    """What is wrong with a name by itself."""
    # Composed first: an accent that is typed as a sign of its own is no letter.
    composed, plain = unicodedata.normalize("NFC", name), folded(name)
    wrong = [sign for sign in dict.fromkeys(composed) if not sign.isalnum() and sign not in _SIGNS]
    models = section in _MODELS
    ending = next((end for end in (*_ENDINGS, *(_TWIN_ENDINGS if models else ())) if plain.endswith(end)), None)
    if ending is None and models and (numbered := _NUMBERED.search(plain)):
        ending = numbered[0]
    if not name:
        return "empty; a name is needed"
    if wrong:
        return f"{' '.join(map(repr, wrong[:5]))} in a name; use letters, digits and {' '.join(_SIGNS)}"
    if name[0] in ".-" or name[-1] == ".":
        return "a name begins with no '.' or '-' and ends with no '.'"
    if len(name.encode()) > _MOST_BYTES:
        return f"{len(name.encode())} bytes long, at most {_MOST_BYTES} in a name"
    if ending is not None:
        return f"the ending '{ending}' is kept for folders that distill makes itself"
    if section == "views" and "." in name:
        return "'.' in the name of a view; in the report it stands before an export target, as in 8L@card.onnx"
    if (models and plain in _ROWS) or (section == "teachers" and plain in _LABEL_SOURCES):
        return "a reserved name; choose another one, and write the preset of this name as preset, if it is meant"
    return None
