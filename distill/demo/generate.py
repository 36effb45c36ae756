"""The embedded projects' files from a seed, and rows to pre-train on."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from distill.core.files import write_text
from distill.demo.answers import answer_files
from distill.demo.messages import message_files
from distill.demo.names import Part
from distill.demo.pairs import pairs
from distill.demo.pool import Row, pool_lines
from distill.demo.projects import Sizes, settings_of, sizes_of

__all__ = ["Sizes", "generate", "training_rows"]

_LABELLED: tuple[Part, ...] = ("train", "valid", "test")
_BLOCK_ROWS = 2000


def generate(folder: Path, seed: int = 1, sizes: Sizes | None = None, project: str = "demo") -> None:
    """Write `project.yaml`, `train.jsonl`, `valid.jsonl`, `test.jsonl` and `pool.jsonl` into `folder`.

    Where the sizes ask for rows to pre-train on, they are written to `pretraining.jsonl`.

    The same seed and sizes give the same bytes, and a labelled file does not depend on the sizes of the others. The
    labelled files share no product and no page, and the pool's clean rows have products of their own.

    Args: sizes: rows of each file; those of the project without it. project: a name of `PROJECTS`.
    Raises: UserError for an unknown project, or when the folder cannot be written.
    """
    settings, sizes = settings_of(project), sizes or sizes_of(project)
    for name, lines in _WORLDS.get(project, _page_files)(sizes, seed).items():
        _write(folder / name, lines)
    write_text(folder / "project.yaml", settings)


def _page_files(sizes: Sizes, seed: int) -> Mapping[str, Sequence[str]]:
    """The lines of each file of products and pages, by its name."""
    counts = {"train": sizes.train, "valid": sizes.valid, "test": sizes.test}
    rows = {part: _labelled(part, counts[part], seed) for part in _LABELLED}
    files = {f"{part}.jsonl": [json.dumps(row, ensure_ascii=False) for row in found] for part, found in rows.items()}
    files["pool.jsonl"] = pool_lines(sizes.pool, _random("pool", seed), rows)
    if sizes.pretraining:
        read = training_rows(sizes.pretraining, seed)
        files["pretraining.jsonl"] = [json.dumps(row, ensure_ascii=False) for row in read]
    return files


_WORLDS: Mapping[str, Callable[[Sizes, int], Mapping[str, Sequence[str]]]] = {
    "demo-preference": answer_files,
    "demo-ru": message_files,
}
"""What embedded projects are about, by name; products and pages where none is named."""


def training_rows(rows: int, seed: int) -> Iterator[Row]:
    """Rows to pre-train on, as clean ones of the pool look: id, segment, product and page, no label.

    Their brands sell other series than in any file that `generate` writes, whatever the seeds: see `names.part_of`.
    """
    rng = _random("pretraining", seed)
    stream = (pair.row() for pair in pairs("pretraining", rng))
    for start in range(0, rows, _BLOCK_ROWS):
        block = list(islice(stream, min(_BLOCK_ROWS, rows - start)))
        rng.shuffle(block)
        for number, row in enumerate(block, start + 1):
            yield {"id": f"pretraining-{number:07d}", **row}


def _labelled(part: Part, rows: int, seed: int) -> list[Row]:
    rng = _random(part, seed)
    found = list(islice(pairs(part, rng), rows))
    rng.shuffle(found)
    return [{"id": f"{part}-{n:05d}", "label": pair.label, **pair.row()} for n, pair in enumerate(found, 1)]


def _random(part: Part, seed: int) -> random.Random:
    return random.Random(f"{part} {seed}")


def _write(path: Path, lines: Sequence[str]) -> None:
    write_text(path, "\n".join(lines) + "\n")
