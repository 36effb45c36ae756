"""Files for the quality benchmark: gold rows, an unlabelled pool, validation and test, derived from public data sets.

Each set has a project file of the same name in `benchmarks/projects`, which runs with defaults. Which rows are gold
and which the pool is decided by a seeded hash of the row's id, so the same raw files always give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.core.errors import UserError, unknown_name
from distill.core.files import write_text

Row = dict[str, Any]
PROJECTS = Path(__file__).resolve().parent / "projects"
SEED = 1
_SHORT_NEWS_WORDS = 20
_ADDRESSED = re.compile(r"https?://\S+|@\w+|\brt\b")
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class DataSet:
    """One set of the benchmark.

    Attributes:
        title: for the table. project: its file in `benchmarks/projects`, without the suffix. raw: folder below that of
            all data. derive: from the raw folder to split → rows; None where the project reads the raw files.
        grid: compare with the grid of plain fine-tunings.
    """

    title: str
    project: str
    raw: str
    derive: Callable[[Path], dict[str, list[Row]]] | None
    grid: bool = True


def prepare(name: str, data: Path, folder: Path) -> Path:
    """Write the files of a set into `folder`, unless its project reads the raw ones; returns the `data.root` to use.

    Args: data: the folder that holds the raw data sets, each in a folder of its own.
    Raises: UserError for an unknown set or a missing raw file.
    """
    return prepare_set(data_set(name), data, folder)


def prepare_set(chosen: DataSet, data: Path, folder: Path) -> Path:
    """`prepare` for a set that has no name in the benchmark."""
    raw = (data / chosen.raw).resolve()
    if not raw.is_dir():
        raise UserError("the data set is not there", where=str(raw), do="give the folder of all data sets with --data")
    if chosen.derive is None:
        return raw
    for split, rows in chosen.derive(raw).items():
        write_text(folder / f"{split}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return folder.resolve()


def data_set(name: str) -> DataSet:
    """The set of that name. Raises: UserError with the nearest name for an unknown one."""
    if name not in DATA_SETS:
        raise unknown_name("data set", name, DATA_SETS)
    return DATA_SETS[name]


def _clinc150(raw: Path) -> dict[str, list[Row]]:
    parts = _apart(_parts(raw), lambda row: row["text"].casefold())
    return _with_pool(parts, ("id", "text"), gold=3000)


def _home_depot(gold: int, pool: int) -> Callable[[Path], dict[str, list[Row]]]:
    def derive(raw: Path) -> dict[str, list[Row]]:
        parts = _apart(_parts(raw), lambda row: f"{row['left']['query']}\n{row['right']['title']}".casefold())
        return _with_pool(parts, ("id", "left", "right"), gold, pool)

    return derive


def _ru_sentirueval(raw: Path) -> dict[str, list[Row]]:
    parts = {split: [_with_post(row) for row in rows] for split, rows in _parts(raw).items()}
    return _with_pool(_apart(parts, lambda row: row["right"]["post"]), ("id", "left", "right"), gold=2000)


def _bbc_news(raw: Path) -> dict[str, list[Row]]:
    """The pool is newswire of another year; its texts begin with the title line too, as the articles do."""
    wire = [
        {**row, "text": f"{row['title']}\n{row['text']}"}
        for row in read_rows(raw.parent / "pool_text" / "reuters21578")
        if row["title"] and len(row["text"].split()) >= _SHORT_NEWS_WORDS
    ]
    columns = ("id", "title", "text")
    parts = _apart(_parts(raw), lambda row: row["text"].casefold())
    labelled = {split: _only(rows, (*columns, "label")) for split, rows in parts.items()}
    return {**labelled, "pool": _only(gold_and_pool(wire, gold=0, pool=3000)[1], columns)}


def _wdc_graded(raw: Path) -> dict[str, list[Row]]:
    """Three grades of alike: a random offer, a near one, the same product. Labels of language models have two of them,
    `extra`; the pool is the same rows without labels.
    """
    files = {"train": "train_medium", "valid": "valid_medium", "test_seen": "test_seen", "test_unseen": "test_unseen"}
    parts = {split: [_graded(row) for row in read_rows(raw / name)] for split, name in files.items()}
    made = [row for path in sorted((raw / "llm_labelled").glob("*.jsonl.gz")) for row in read_rows(_unpacked(path))]
    once = {row["id"]: row for row in made}.values()
    extra = [{**row, "label": "match" if row["label"] == 1 else "near"} for row in once]
    columns = ("id", "left", "right")
    labelled = {split: _only(rows, (*columns, "label")) for split, rows in {**parts, "extra": extra}.items()}
    pool = [{**row, "id": f"pool-{row['id']}"} for row in _only(extra, columns)]
    return {**labelled, "pool": pool}


def _graded(row: Row) -> Row:
    near = "near" if row["is_hard_negative"] else "random"
    return {**row, "label": "match" if row["label"] == 1 else near}


def _unpacked(path: Path) -> Path:
    """The path that `_read` takes for a packed file."""
    return path.with_name(path.name.removesuffix(".jsonl.gz"))


def _parts(raw: Path) -> dict[str, list[Row]]:
    return {split: read_rows(raw / split) for split in ("train", "valid", "test")}


def _apart(parts: dict[str, list[Row]], text: Callable[[Row], str]) -> dict[str, list[Row]]:
    """No text in two parts: train loses what is in test, validation what is in test or train."""
    test = {_squeezed(text(row)) for row in parts["test"]}
    train = [row for row in parts["train"] if _squeezed(text(row)) not in test]
    known = test | {_squeezed(text(row)) for row in train}
    return {**parts, "train": train, "valid": [row for row in parts["valid"] if _squeezed(text(row)) not in known]}


def _with_pool(
    parts: dict[str, list[Row]], columns: tuple[str, ...], gold: int, pool: int | None = None
) -> dict[str, list[Row]]:
    """Gold rows of train, and a pool of its other rows without their labels."""
    labelled, unlabelled = gold_and_pool(parts["train"], gold, pool)
    kept = {split: _only(rows, (*columns, "label")) for split, rows in {**parts, "train": labelled}.items()}
    return {**kept, "pool": _only(unlabelled, columns)}


def gold_and_pool(
    rows: Sequence[Row], gold: int, pool: int | None = None, seed: int = SEED
) -> tuple[list[Row], list[Row]]:
    """A seeded sample of `gold` rows, and of `pool` of the others (None: all of them), each in the order of `rows`."""
    ranked = sorted(range(len(rows)), key=lambda index: _rank(seed, rows[index]["id"]))
    last = None if pool is None else gold + pool
    return [rows[index] for index in sorted(ranked[:gold])], [rows[index] for index in sorted(ranked[gold:last])]


def _rank(seed: int, record_id: str) -> bytes:
    return hashlib.sha256(f"{seed} {record_id}".encode()).digest()


def _with_post(row: Row) -> Row:
    """The row with `right.post`: the same for all forms of one post (quoted, with another link, other punctuation)."""
    text = unicodedata.normalize("NFKC", row["right"]["text"]).casefold()
    words = _NO_WORD.sub(" ", _ADDRESSED.sub(" ", text)).strip() or text
    return {**row, "right": {**row["right"], "post": hashlib.sha256(words.encode()).hexdigest()[:16]}}


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _only(rows: Iterable[Row], columns: Sequence[str]) -> list[Row]:
    return [{column: row[column] for column in columns} for row in rows]


def read_rows(path: Path) -> list[Row]:
    """The rows of `<path>.jsonl.gz` or `<path>.jsonl`."""
    packed, plain = (path.with_name(path.name + suffix) for suffix in (".jsonl.gz", ".jsonl"))
    if packed.is_file():
        text = gzip.decompress(packed.read_bytes()).decode("utf-8")
    elif plain.is_file():
        text = plain.read_text(encoding="utf-8")
    else:
        raise UserError("a file of the data set is missing", where=str(packed), do="restore the data set")
    return [json.loads(line) for line in text.split("\n") if line]


DATA_SETS = {
    "clinc150": DataSet("151 intents (CLINC150), 3,000 gold rows", "clinc150", "clinc150", _clinc150),
    "home_depot": DataSet(
        "query × product, three grades (Home Depot), 4,000 gold rows",
        "home_depot",
        "home_depot_search",
        _home_depot(4000, 8000),
    ),
    "home_depot_large": DataSet(
        "query × product, three grades (Home Depot), 20,000 gold rows",
        "home_depot_large",
        "home_depot_search",
        _home_depot(20_000, 10_000),
        grid=False,
    ),
    "ru_sentirueval": DataSet(
        "company × post, Russian polarity (SentiRuEval-2016), 2,000 gold rows",
        "ru_sentirueval",
        "ru_sentirueval2016",
        _ru_sentirueval,
    ),
    "bbc_news": DataSet("news topic by title (BBC), 1,237 gold rows", "bbc_news", "bbc_news", _bbc_news),
    "wdc_products": DataSet("offer × offer (WDC Products), 6,000 gold rows", "wdc_products", "wdc_products", None),
}
# Not of the quality benchmark, whose sets run with defaults: many systems are compared on it.
GRADED_OFFERS = DataSet(
    "offer × offer, three grades (WDC Products), 6,000 gold rows",
    "wdc_systems",
    "wdc_products",
    _wdc_graded,
    grid=False,
)
