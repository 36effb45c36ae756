"""Which file is what: for training, validation, a test or the pool, by its name and by whether it has labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from distill.core.errors import UserError
from distill.core.guessing.column_roles import named_label
from distill.core.guessing.columns import Column

UNKNOWN = "unknown"
_ROLES = (
    ("train", r"train|обуч"),
    ("valid", r"valid|валид|(^|[^a-z])(dev|val)"),
    ("test", r"test|тест|(^|[^a-z])eval|hold[_-]?out|(^|[^a-z])(gold|gs)([^a-z]|$)"),
    ("pool", r"pool|unlabell?ed|неразмеч"),
)


def main_files(tables: Mapping[Path, Mapping[str, Column]]) -> Sequence[Path]:
    """The files named as for training, else the first one with a column that is named like a label, else the first."""
    training = [path for path in tables if role_by_name(path) == "train"]
    return training or [path for path in tables if named_label(tables[path])][:1] or list(tables)[:1]


def role_by_name(path: Path) -> str | None:
    """The role that a file is named after; None for a name that says nothing."""
    name = path.name.lower()
    return next((role for role, pattern in _ROLES if re.search(pattern, name)), None)


def file_roles(tables: Mapping[Path, Mapping[str, Column]], label: str) -> dict[Path, str]:
    """File to role: `pool` without labels, else by its name.

    Labelled files of another name are for training where no file is named so, else `unknown`: one of them may be a
    test. Where only tests and the like are there, the first one is for training. Raises: UserError without a label.
    """
    labelled = [path for path, columns in tables.items() if has_label(columns, label)]
    if not labelled:
        raise UserError("no row has a label", where=", ".join(path.name for path in tables), found=f"column {label}")
    roles = {path: (role_by_name(path) or UNKNOWN) if path in labelled else "pool" for path in tables}
    if "train" not in roles.values():
        unnamed = [path for path, role in roles.items() if role == UNKNOWN]
        roles |= dict.fromkeys(unnamed or labelled[:1], "train")
    return roles


def doubts(roles: Mapping[Path, str], tables: Mapping[Path, Mapping[str, Column]], label: str) -> dict[str, list[str]]:
    """What the names of labelled files leave open, in words, to those files."""
    found = {
        "Labelled, and no file is named as for training, so for training": [
            path for path, role in roles.items() if role == "train" and role_by_name(path) != "train"
        ],
        "Labelled, role unknown, so left out; add each to train, valid or test": [
            path for path, role in roles.items() if role == UNKNOWN
        ],
        "Labelled, but a pool by their names, so their labels are not read": [
            path for path, role in roles.items() if role == "pool" and has_label(tables[path], label)
        ],
    }
    return {doubt: [path.name for path in paths] for doubt, paths in found.items() if paths}


def has_label(columns: Mapping[str, Column], label: str) -> bool:
    """Whether some row has gold; votes show as one column per label."""
    return any(column.values for path, column in columns.items() if path == label or path.startswith(f"{label}."))
