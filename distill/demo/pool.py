"""The raw pool: clean pairs without labels, and several times as many rows that an audit has to find and drop."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from distill.demo.junk_pages import dead_page, off_topic_page, spam_page, untitled_page
from distill.demo.names import Part
from distill.demo.pairs import pairs
from distill.demo.wording import wording

Row = dict[str, Any]

_BROKEN = 0.001
_LEAKS: dict[Part, float] = {"test": 0.02, "valid": 0.01, "train": 0.01}
_DUPLICATES = 0.18
_JUNK: dict[Callable[[random.Random], Row], float] = {
    untitled_page: 0.06,
    dead_page: 0.14,
    spam_page: 0.07,
    off_topic_page: 0.2,
}
_STUBS = 0.02  # product and page of a word or two


def pool_lines(rows: int, rng: random.Random, labelled: Mapping[Part, Sequence[Row]]) -> list[str]:
    """The pool's lines in random order.

    Args: rows: of the pool; some broken lines come on top. labelled: rows of the labelled files, some of which leak in.
    """
    own = (pair.row() for pair in pairs("pool", rng))
    found = list(_faulty(rows, own, rng, labelled))
    clean = list(islice(own, rows - len(found) - round(rows * _DUPLICATES)))
    found += clean
    found += [_copy(rng.choice(clean), rng) for _ in range(rows - len(found))]
    rng.shuffle(found)
    lines = [_line(number, row) for number, row in enumerate(found, 1)]
    return lines + [line[: len(line) // 2] for line in rng.sample(lines, max(1, round(rows * _BROKEN)))]


def _faulty(rows: int, own: Iterator[Row], rng: random.Random, labelled: Mapping[Part, Sequence[Row]]) -> Iterator[Row]:
    """Junk, stubs and pairs of the labelled files, each at its share of the pool; `own` are clean rows to spoil."""
    for page, share in _JUNK.items():
        for row in islice(own, _count(rows, share)):
            yield {**row, "page": {**row["page"], **page(rng)}}
    for row in islice(own, _count(rows, _STUBS)):
        yield _stub(row, rng)
    for part, share in _LEAKS.items():
        for row in rng.choices(labelled[part], k=_count(rows, share)):
            yield {key: row[key] for key in ("segment", "product", "page")}


def _count(rows: int, share: float) -> int:
    return max(1, round(rows * share))


def _stub(row: Row, rng: random.Random) -> Row:
    """The row with hardly any text left."""
    product = dict.fromkeys(row["product"], "") | {"id": row["product"]["id"], "title": row["product"]["brand"]}
    page = {"id": row["page"]["id"], "title": rng.choice(wording().junk.stub_titles), "url": "/", "body": ""}
    return {**row, "product": product, "page": page}


def _copy(row: Row, rng: random.Random) -> Row:
    """The row again, as it is or with other white space."""
    if rng.random() < 0.5:
        return row
    body = row["page"]["body"].replace(". ", ".  ", 3) + "\n"
    return {**row, "page": {**row["page"], "body": body}}


def _line(number: int, row: Row) -> str:
    return json.dumps({"id": f"pool-{number:06d}", **row}, ensure_ascii=False)
