"""How much memory training takes beside the model: a tiny student on few, then on many made-up rows.

Rows, labels and the fit go through the files of a run, as `distill train` has them. The fit is a process of its own,
whose peak is what the system says of it; what it takes more on many rows than on few is what the rows take.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.project import ViewConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, shard_ranges, write_shard

LABELS = ("no", "maybe", "yes")
FEW_ROWS, _VALID_ROWS, _SHARD_ROWS, _STEPS = 2000, 200, 8192, 4
_ERROR_LINES = 6


def rows_take(rows: int, words: int, folder: Path) -> Json:
    """Peak memory of a process that fits on 2,000 rows and then on `rows`, and the difference, all in bytes.

    Args: words: of a row's text. folder: empty; it is left with what was made.
    Raises: UserError when a fit fails.
    """
    folders = [folder / str(count) for count in (FEW_ROWS, rows)]
    for own, count in zip(folders, (FEW_ROWS, rows), strict=True):
        write_rows(own, count, words)
    few, many = _peaks(folders)
    return {"rows": rows, "words": words, "peak_bytes": many, "few_rows_bytes": few, "rows_bytes": many - few}


def write_rows(folder: Path, rows: int, words: int) -> None:
    """`records`, `labels` and `encoder` of a fit that learns from a pool of `rows` rows."""
    from distill.models.fresh import Shape, make_encoder

    records, space = folder / "records", LabelSpace(LABELS)
    gold = (
        Record(row.id, row.fields, space.target(LABELS[n % 3])) for n, row in enumerate(_rows("t", FEW_ROWS, words))
    )
    write_records(records / "train.parquet", gold)
    valid = (
        Record(row.id, row.fields, space.target(LABELS[n % 3])) for n, row in enumerate(_rows("v", _VALID_ROWS, words))
    )
    write_records(records / "valid.parquet", valid)
    write_records(records / "pool.web.parquet", _rows("p", rows, words))
    ids = [*(f"t{n}" for n in range(FEW_ROWS)), *(f"p{n}" for n in range(rows))]
    logits = np.random.default_rng(1).normal(size=(_SHARD_ROWS, 3)).astype(np.float32)
    for index, start, stop in shard_ranges(len(ids), _SHARD_ROWS):
        count, ones = stop - start, np.ones(stop - start, np.int32)
        part = SoftLabels(ids[start:stop], ["pool.web"] * count, logits[:count], ones, ones, ["ok"] * count)
        write_shard(folder / "labels", index, part)
    texts = (text for row in _rows("t", 200, words) for text in row.fields.values())
    make_encoder(texts, folder / "encoder", Shape(layers=2, width=32, heads=2, vocabulary=2000), 1)


def _rows(prefix: str, count: int, words: int) -> Iterator[Record]:
    random_words = random.Random(prefix)
    vocabulary = [f"w{number:x}" for number in range(1000)]
    for number in range(count):
        text = random_words.choices(vocabulary, k=words)
        left, right = " ".join(text[: words // 3]), " ".join(text[words // 3 :])
        yield Record(f"{prefix}{number}", {"left": left, "right": right})


def _peaks(folders: Sequence[Path]) -> list[int]:
    """Peak resident bytes of a process after each of its fits, on what `write_rows` left."""
    command = [sys.executable, "-P", "-m", "benchmarks.training_memory", *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        found = "\n".join(done.stderr.splitlines()[-_ERROR_LINES:])
        raise UserError("the fit ended without a result", where=str(folders[0].parent), found=found)
    return [int(peak) for peak in json.loads(done.stdout.splitlines()[-1])]


def _fit(folder: Path) -> None:
    """The fit of the process."""
    from distill.families.family import Lesson, fit
    from distill.training.joining import Share
    from students.config import StudentConfig

    training = {"max_steps": _STEPS, "warmup": 0, "batch_size": 8, "may_collapse": True, "checkpoint": "last"}
    student = StudentConfig.model_validate({"preset": "memory", "layers": 1, "keep": "first", "training": training})
    lesson = Lesson(
        title="memory",
        space=LabelSpace(LABELS),
        view="card",
        view_config=ViewConfig(left=["left"], right=["right"], max_tokens=128),
        records=folder / "records",
        source=folder / "encoder",
        labels={folder / "labels": Share()},
        encoded=folder / "encoded",
    )
    fit("encoder", student, lesson, folder / "student")


def _measure(folders: Sequence[str]) -> list[int]:
    peaks = []
    for folder in folders:
        _fit(Path(folder))
        peaks.append(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peaks


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1:])))
