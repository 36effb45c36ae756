"""Short records with planted near duplicates and decoys, whose likeness is known: what the audit is measured on."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from distill.core.errors import UserError
from distill.core.files import Json, write_json
from distill.core.intake.sources import read_rows
from distill.core.rendering import FieldError, field_text

NEAR, DECOY, EQUAL = "near", "decoy", "equal"
WORDS = 3
"""Of a shingle."""

_SHARES = {NEAR: 0.05, DECOY: 0.05, EQUAL: 0.01}
_RANGES = {NEAR: (0.8, 0.95), DECOY: (0.6, 0.78)}
_LABELLED = {"train": 2000, "valid": 500, "test": 2000}
_LABELS = ("other", "part", "match")
_HELD, _TITLE, _SHORTEST, _LONGEST, _VOCABULARY = 50_000, 8, 20, 40, 20_000
_KINDS = (".jsonl", ".csv", ".parquet")
_PROJECT = """\
task: {labels: [other, part, match]}
data: {train: train.jsonl, valid: valid.jsonl, test: {new: test.jsonl}, pool: {web: pool.jsonl}, near: {}}
views:
  document: {left: [title], right: [text], max_tokens: 256}
  card: {left: [title], right: [text], max_tokens: 64}
"""


class Planted(NamedTuple):
    """A pool row that was made of another one. Args: kind: `near`, `decoy` or `equal`. of: `pool` or `test`."""

    kind: str
    of: str
    jaccard: float


def jaccard(a: Sequence[str], b: Sequence[str]) -> float:
    """The Jaccard index of two texts' runs of three words, from the definition."""
    one, other = ({tuple(text[at : at + WORDS]) for at in range(len(text) - WORDS + 1)} for text in (a, b))
    return len(one & other) / len(one | other)


def write_project(folder: Path, rows: int, texts: Path | None, seed: int = 1) -> Path:
    """A project with a pool of so many rows and `planted.json`, id to `Planted`; returns its YAML.

    5% of the pool are near duplicates of an earlier row, of one each, 5% are decoys, 1% equal; a quarter of the test
    rows have a near duplicate in the pool and a quarter a decoy. Args: texts: as `Words`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = Words(random.Random(seed), texts)
    labelled = {name: [words.row(f"{name}{n}") for n in range(count)] for name, count in _LABELLED.items()}
    for name, own in labelled.items():
        gold = ({**row, "label": label} for row, label in zip(own, _LABELS * len(own), strict=False))
        _write(folder / f"{name}.jsonl", gold)
    planted: dict[str, Planted] = {}
    _write(folder / "pool.jsonl", _pool(words, rows, labelled["test"], planted))
    write_json(folder / "planted.json", planted)
    project = folder / "project.yaml"
    project.write_text(_PROJECT, encoding="utf-8")
    return project


class Words:
    """Makes rows of a title and a text of 20 to 40 words, and copies of them that are alike to a chosen degree.

    Args: texts: a folder of JSONL, CSV or Parquet files, whose words are taken as often as they are there; None: 20,000
        made-up ones, the n-th with the frequency 1/n.
    Raises: UserError for a folder without texts.
    """

    def __init__(self, chance: random.Random, texts: Path | None) -> None:
        self._chance = chance
        counts = dict(_made_up(chance)) if texts is None else _counted(texts)
        self._words, self._odds = list(counts), list(accumulate(counts.values()))

    def row(self, name: str) -> Json:
        """A new row."""
        text = self._drawn(self._chance.randint(_SHORTEST, _LONGEST))
        return {"id": name, "title": " ".join(self._drawn(_TITLE)), "text": " ".join(text)}

    def copy(self, row: Json, name: str, kind: str) -> tuple[Json, float]:
        """The row with some words of its text changed, and how alike the two texts are: in the range of its kind."""
        low, high = _RANGES[kind]
        text = row["text"].split()
        while True:
            other = list(text)
            for place in self._chance.sample(range(len(text)), self._chance.randint(1, 4)):
                other[place] = self._drawn(1)[0]
            if low <= (found := jaccard(text, other)) <= high:
                return {**row, "id": name, "text": " ".join(other)}, found

    def chosen(self, shares: dict[str, float]) -> str | None:
        """One of the names by its share, None for the rest."""
        return self._chance.choices([*shares, None], [*shares.values(), 1 - sum(shares.values())])[0]

    def taken(self, rows: list[Json]) -> Json:
        """One of the rows, which is there no more."""
        place = self._chance.randrange(len(rows))
        rows[place], rows[-1] = rows[-1], rows[place]
        return rows.pop()

    def _drawn(self, count: int) -> list[str]:
        return self._chance.choices(self._words, cum_weights=self._odds, k=count)


def _pool(words: Words, rows: int, test: Sequence[Json], planted: dict[str, Planted]) -> Iterator[Json]:
    """The pool's rows; what they were made of is entered in `planted`."""
    held: list[Json] = []
    copies = {number * rows // len(test): (row, number) for number, row in enumerate(test) if number % 2}
    for place in range(rows):
        name, kind = f"pool{place}", words.chosen(_SHARES) if len(held) > 1000 else None
        if place in copies:
            row, number = copies[place]
            kind = NEAR if number % 4 == 1 else DECOY
            made, found = words.copy(row, name, kind)
            planted[name] = Planted(kind, "test", found)
            yield made
        elif kind == EQUAL:
            planted[name] = Planted(kind, "pool", 1.0)
            yield {**words.taken(held), "id": name}
        elif kind is not None:
            made, found = words.copy(words.taken(held), name, kind)
            planted[name] = Planted(kind, "pool", found)
            yield made
        else:
            held.append(words.row(name))
            yield held[-1]
            if len(held) > _HELD:
                words.taken(held)


def _made_up(chance: random.Random) -> Iterator[tuple[str, float]]:
    for number in range(_VOCABULARY):
        syllables = (chance.choice("бвгдкмнпрст") + chance.choice("аеиоу") for _ in range(chance.randint(2, 4)))
        yield "".join(syllables) + str(number % 10), 1 / (number + 5)


def _counted(folder: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in sorted(path for path in folder.glob("*") if path.suffix in _KINDS):
        for row in read_rows(path):
            for name in row.values or {}:
                try:
                    found.update(field_text(row.values or {}, name).lower().split())
                except FieldError:
                    continue
    if len(found) < 1000:
        raise UserError("too few words to make records of", where="--texts", found=f"{len(found)} in {folder}")
    return found


def _write(path: Path, rows: Iterable[Json]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
