"""What a sheet hides: a file in the run folder that says how each of its rows was labelled and why it was drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import read_json, sha256_json, write_json
from distill.core.intake.compared_text import compared
from distill.core.intake.hashing import digest
from distill.core.run_folder import SAMPLES
from distill.core.sheets.draw import Stratum

KEY_FILE = "key.json"
CHECK = "check"


@dataclass(frozen=True)
class KeyRow:
    """One row of a sheet. Attributes: texts: hash of each text by column. stratum: stage, class, band of confidence."""

    id: str
    texts: Mapping[str, int]
    stratum: Stratum = ("", 0, 0)
    confidence: float = 0.0


@dataclass(frozen=True)
class Key:
    """The key of one sheet.

    Attributes: name: of its folder. kind: `check` or `labelling`. made: what the labels were made from. sizes: rows of
        the pool in each stratum. pool: rows of the pool; labelled: of those with a label.
    """

    name: str
    kind: str
    teacher: str
    made: str
    seed: int
    rows: Sequence[KeyRow]
    sizes: Mapping[Stratum, int]
    pool: int
    labelled: int

    @property
    def ids(self) -> set[str]:
        """Those of its rows."""
        return {row.id for row in self.rows}

    def write(self, run: Path) -> Path:
        """Write it below the run folder; returns its file."""
        path = run / SAMPLES / self.name / KEY_FILE
        sizes = [{"stratum": list(stratum), "rows": rows} for stratum, rows in self.sizes.items()]
        write_json(path, {**asdict(self), "sizes": sizes})
        return path


def name_of(kind: str, teacher: str, ids: Sequence[str]) -> str:
    """The name of a key: the same rows of the same teacher have one."""
    return f"{teacher}-{kind}-{sha256_json([kind, teacher, sorted(ids)])[:8]}"


def text_hashes(cells: Mapping[str, str]) -> dict[str, int]:
    """The hash of each text, blind to what spreadsheets change: case, Unicode form, white space."""
    return {column: digest(compared(text)) for column, text in cells.items()}


def key_of(run: Path, ids: Sequence[str], sheet: Path, teacher: str | None = None) -> Key:
    """The key of the sheet with these rows, whatever its file is called: the one with the fewest others.

    Args: teacher: whose sheet it is; None: there must be one model alone with a sheet that fits best.
    Raises: UserError where none of the rows was drawn, and where sheets of several models fit alike.
    """
    known = set(ids)
    keys = [key for key in map(_read, sorted(run.glob(f"{SAMPLES}/*/{KEY_FILE}"))) if teacher in (None, key.teacher)]
    others = {key.name: len(known ^ key.ids) for key in keys if known & key.ids}
    if not others:
        what = f"no sheet of {teacher or 'this run'} has any of these rows"
        do = "give the run, and the teacher, that it was drawn from"
        raise UserError(what, where=str(sheet), found=", ".join(list(ids)[:3]), do=do)
    nearest = [key for key in keys if others.get(key.name) == min(others.values())]
    if len(names := sorted({key.teacher for key in nearest})) > 1:
        do = "name the one that it was drawn for with --teacher"
        raise UserError("sheets of several models have these rows", where=str(sheet), found=", ".join(names), do=do)
    return nearest[0]


def _read(path: Path) -> Key:
    content = read_json(path)
    rows = [KeyRow(one["id"], one["texts"], _stratum(one["stratum"]), one["confidence"]) for one in content["rows"]]
    sizes = {_stratum(one["stratum"]): int(one["rows"]) for one in content["sizes"]}
    return Key(**{**content, "rows": rows, "sizes": sizes})


def _stratum(values: Sequence[object]) -> Stratum:
    stage, label, band = values
    return str(stage), int(str(label)), int(str(band))
