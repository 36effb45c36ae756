"""How much memory training takes beside the model: a student on few, then on many made-up rows.

Rows, labels and the fit go through the files of a run, as `distill train` has them. Each fit is a process of its own,
whose peak is what the system says of it; what it takes more on many rows than on few is what the rows take.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.memory import peak_bytes
from distill.core.errors import UserError
from distill.core.files import Json, read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.model_folder import parameter_count
from distill.core.project import ViewConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.soft_labels import SoftLabels, shard_ranges, write_shard

LABELS = ("no", "maybe", "yes")
FEW_ROWS, _VALID_ROWS, _SHARD_ROWS, _STEPS = 2000, 200, 8192, 4
_ERROR_LINES, _FLOAT_BYTES, _SIZE_FILE = 6, 4, "size.json"


@dataclass(frozen=True)
class Size:
    """What is fitted. Attributes: words: of a row's text. layers: of the student. width: of its hidden states."""

    words: int = 36
    layers: int = 1
    width: int = 32


def rows_take(rows: int, size: Size, folder: Path) -> Json:
    """Peak memory of a fit on `rows` rows and of one on 2,000, in bytes.

    `rows_bytes` is the difference. `beside_bytes` is the peak without weights and AdamW's two means of them: rows,
    gradients, what layers keep for the way back, Python and its libraries.

    Args: folder: empty; it is left with what was made.
    Raises: UserError when a fit fails.
    """
    folders = [folder / str(count) for count in (FEW_ROWS, rows)]
    for own, count in zip(folders, (FEW_ROWS, rows), strict=True):
        write_rows(own, count, size)
    few, many = map(_peak, folders)
    model = _FLOAT_BYTES * parameter_count(folders[1] / "student")
    return {
        "rows": rows,
        **asdict(size),
        "peak_bytes": many,
        "few_rows_bytes": few,
        "rows_bytes": many - few,
        "model_bytes": model,
        "optimiser_bytes": 2 * model,
        "beside_bytes": many - 3 * model,
    }


def write_rows(folder: Path, rows: int, size: Size) -> None:
    """`records`, `labels` and `encoder` of a fit that learns from a pool of `rows` rows, and `size.json`."""
    from distill.models.fresh import Shape, make_encoder

    records, space, words = folder / "records", LabelSpace(LABELS), size.words
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
    shape = Shape(layers=size.layers, width=size.width, heads=max(2, size.width // 64), vocabulary=2000)
    make_encoder(texts, folder / "encoder", shape, 1)
    write_json(folder / _SIZE_FILE, asdict(size))


def _rows(prefix: str, count: int, words: int) -> Iterator[Record]:
    random_words = random.Random(prefix)
    vocabulary = [f"w{number:x}" for number in range(1000)]
    for number in range(count):
        text = random_words.choices(vocabulary, k=words)
        left, right = " ".join(text[: words // 3]), " ".join(text[words // 3 :])
        yield Record(f"{prefix}{number}", {"left": left, "right": right})


def _peak(folder: Path) -> int:
    """Peak resident bytes of a process that fits on what `write_rows` left."""
    command = [sys.executable, "-P", "-m", "benchmarks.training_memory", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        found = "\n".join(done.stderr.splitlines()[-_ERROR_LINES:])
        raise UserError("the fit ended without a result", where=str(folder), found=found)
    return int(done.stdout.splitlines()[-1])


def _fit(folder: Path) -> None:
    """The fit of the process."""
    from distill.families.family import Lesson, fit
    from distill.training.joining import Share
    from students.config import StudentConfig

    training = {"max_steps": _STEPS, "warmup": 0, "batch_size": 8, "may_collapse": True, "checkpoint": "last"}
    layers = read_json(folder / _SIZE_FILE)["layers"]
    student = StudentConfig.model_validate(
        {"preset": "memory", "layers": layers, "keep": "first", "training": training}
    )
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


if __name__ == "__main__":
    _fit(Path(sys.argv[1]))
    print(peak_bytes())
