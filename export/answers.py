"""Writers of answers, one for each format: JSONL, CSV, TSV (each also as .gz) and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from distill.core.errors import unknown_name
from distill.core.files import Json

Write = Callable[[Json], None]
_TEXT = (".jsonl", ".ndjson", ".csv", ".tsv")
FORMATS = (*_TEXT, *(f"{ending}.gz" for ending in _TEXT), ".parquet")
_PARQUET_ROWS = 4096


@dataclass(frozen=True)
class Shape:
    """What answers hold: a name, `label`, `probabilities` and more.

    Attributes: labels: in order. several: whether `label` is a list. first: what the name is called. more: what comes
        after the probabilities, with its type as Arrow calls it.
    """

    labels: Sequence[str]
    several: bool
    first: str = "id"
    more: Mapping[str, str] = field(default_factory=dict)


def format_of(path: Path) -> str:
    """The end of a file's name that says its format. Raises: UserError naming the known ones."""
    found = next((ending for ending in FORMATS if path.name.endswith(ending)), None)
    if found is None:
        raise unknown_name("file format", path.name, FORMATS, str(path))
    return found


@contextmanager
def open_answers(path: Path, ending: str, shape: Shape, *, header: bool = True) -> Iterator[Write]:
    """A function that writes one answer: `{"id", "label", "probabilities", "positive"?}`, as the shape says.

    JSONL holds it as it is. CSV and TSV have a column `probability.LABEL` for each label, and a list of labels as JSON.
    In Parquet `probabilities` is a struct, and names are text.

    Args: path: written over. ending: of `FORMATS`. header: of CSV and TSV.
    """
    if ending == ".parquet":
        yield from _parquet(path, shape)
        return
    with _opened(path, packed=ending.endswith(".gz")) as file:
        kind = ending.removesuffix(".gz")
        if kind in (".csv", ".tsv"):
            yield _delimited(file, shape, tabs=kind == ".tsv", header=header)
        else:
            yield lambda answer: _line(file, answer)


@contextmanager
def _opened(path: Path, *, packed: bool) -> Iterator[IO[str]]:
    """A text file; one in gzip has no name and time in its head, so that equal answers are equal bytes."""
    if not packed:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    with (
        path.open("wb") as whole,
        gzip.GzipFile("", "wb", fileobj=whole, mtime=0) as inner,
        io.TextIOWrapper(inner, encoding="utf-8", newline="") as file,
    ):
        yield file


def _line(file: IO[str], answer: Json) -> None:
    file.write(json.dumps(answer, ensure_ascii=False, default=str) + "\n")


def _delimited(file: IO[str], shape: Shape, *, tabs: bool, header: bool) -> Write:
    plain: Json = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None} if tabs else {}
    rows = csv.writer(file, lineterminator="\n", **plain)

    def row(values: Sequence[Any]) -> None:
        # TSV has no quotes, so that a tab or a line end in a name has to go.
        rows.writerow([" ".join(str(value).split()) if tabs else str(value) for value in values])

    def write(answer: Json) -> None:
        label, chances = answer["label"], answer["probabilities"]
        named = json.dumps(label, ensure_ascii=False) if shape.several else label
        row(
            [
                answer[shape.first],
                named,
                *(chances[name] for name in shape.labels),
                *(answer[name] for name in shape.more),
            ]
        )

    if header:
        row([shape.first, "label", *(f"probability.{name}" for name in shape.labels), *shape.more])
    return write


def arrow_schema(shape: Shape) -> Any:
    """The columns of answers in Parquet."""
    import pyarrow as pa

    chances = pa.struct([(label, pa.float64()) for label in shape.labels])
    label = pa.list_(pa.string()) if shape.several else pa.string()
    more = [(name, pa.type_for_alias(kind)) for name, kind in shape.more.items()]
    return pa.schema([(shape.first, pa.string()), ("label", label), ("probabilities", chances), *more])


def _parquet(path: Path, shape: Shape) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(shape)
    held: list[Json] = []
    with pq.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(held, schema))
            held.clear()

        def write(answer: Json) -> None:
            held.append({**answer, shape.first: str(answer[shape.first])})
            if len(held) == _PARQUET_ROWS:
                flush()

        yield write
        flush()
