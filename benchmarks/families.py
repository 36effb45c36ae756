"""Which families of encoders and decoders work: a tiny model of each, taken from its checkpoint to its ONNX file.

`python -m benchmarks.families` makes a tiny random checkpoint of each family and tries it as a run does before its
first step. One that is not refused then is fine-tuned as a teacher for a few steps, labels a pool, and gives 2 of its 4
layers to a student, whose ONNX file is compared with it. What came of it is stored in
`benchmarks/results/families.json`; `python -m benchmarks.publish` makes the table in docs/families.md from that file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core.config import load_yaml, parse
from distill.core.errors import DistillError, UserError, unknown_name
from distill.core.files import Json, read_json, write_json
from distill.core.intake.prepare import prepare
from distill.core.project import Project, ViewConfig
from distill.core.record_store import read_records
from distill.demo.generate import Sizes, generate
from distill.families.family import Lesson
from distill.training.config import TrainingConfig
from distill.training.joining import Share
from students.config import StudentConfig
from teachers.config import LabellingConfig, TeacherConfig

_RESULTS = Path(__file__).resolve().parent / "results"
_ABOUT = {"kind": "families", "title": "Families of encoders and decoders", "command": "python -m benchmarks.families"}
_SIZES = Sizes(train=64, valid=24, test=24, pool=64)
_DOCUMENT_TOKENS, _CARD_TOKENS, _KEPT = 48, 32, 2
_TRAINING = TrainingConfig(
    optimiser="adamw", max_steps=8, batch_size=8, precision="fp32", may_collapse=True, checkpoint="last"
)


class World(NamedTuple):
    """The generated project that every family reads: its file, and the clean records."""

    project: Project
    records: Path

    def view(self, name: str, tokens: int) -> ViewConfig:
        """A view of the project, short enough for the tiny models."""
        return self.project.views[name].model_copy(update={"max_tokens": tokens, "windows": None})


def world(folder: Path) -> World:
    """Generate the project into an empty folder."""
    generate(folder, sizes=_SIZES)
    project, records = parse(Project, load_yaml(folder / "project.yaml"), "project.yaml"), folder / "records"
    records.mkdir()
    prepare(project, records, base=folder)
    return World(project, records)


def tried(checkpoint: Path, given: World) -> str:
    """The checkpoint in a few words, tried as a run with a student of 2 layers and an ONNX file does.

    Raises: UserError with the reason when it is refused.
    """
    from distill.inference.trial import Trial, try_checkpoint
    from export.config import load_target

    space = given.project.task.space
    views = {"views.document": given.view("document", _DOCUMENT_TOKENS), "views.card": given.view("card", _CARD_TOKENS)}
    checks = [load_target("onnx").require]
    return try_checkpoint(
        checkpoint, Trial(space.labels, space.objective, views, {"2L": lambda depth: [0, depth - 1]}, checks)
    )


def taken_through(checkpoint: Path, given: World, folder: Path) -> Json:
    """Teacher, labels, student and ONNX file of a checkpoint, in an empty folder; returns the parity of the file."""
    from export.build import export_target
    from export.config import load_target
    from export.evidence import Evidence, Sample
    from students.train import train
    from teachers.label import label
    from teachers.starting_encoder import adopt_checkpoint
    from teachers.teach import teach

    start, teacher, labels, student, onnx = (
        folder / name for name in ("start", "teacher", "labels", "student", "onnx")
    )
    for part in (start, teacher, labels, student, onnx):
        part.mkdir()
    space = given.project.task.space
    adopt_checkpoint(str(checkpoint), start)
    document, card = given.view("document", _DOCUMENT_TOKENS), given.view("card", _CARD_TOKENS)
    lesson = Lesson("teaching", space, "document", document, given.records, source=start)
    teach(TeacherConfig(preset="base", training=_TRAINING), lesson, teacher)
    label(LabellingConfig(precision="fp32"), teacher, given.records, 1, labels)
    lesson = Lesson("distilling", space, "card", card, given.records, source=teacher, labels={labels: Share(1.0)})
    train(StudentConfig(preset="2L", layers=_KEPT, keep="spread", training=_TRAINING), lesson, student)
    evidence = Evidence(Sample.of(read_records(given.records, "valid")))
    export_target(load_target("onnx"), student, evidence, onnx)
    return read_json(onnx / "parity.json")


def result_of(name: str, given: World, folder: Path) -> Json:
    """What came of a family: `works` with the largest difference of its ONNX file, or `refused` with the reason."""
    checkpoint = folder / "checkpoint"
    write_checkpoint(FAMILIES[name], _texts(given.project, given.records), checkpoint)
    row = {"family": name, "model_type": read_json(checkpoint / "config.json")["model_type"]}
    started = time.monotonic()
    try:
        tried(checkpoint, given)
    except UserError as error:
        return {**row, "result": "refused", "seconds": _since(started), "reason": error.what, "found": str(error.found)}
    seconds = _since(started)
    parity = taken_through(checkpoint, given, folder)
    return {**row, "result": "works", "seconds": seconds, "max_abs_diff": parity["max_abs_diff"]}


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)


def _texts(project: Project, records: Path) -> list[str]:
    return [text for record in read_records(records, "train") for text in record.fields.values() if text]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.families", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FAMILY", help="these only; their rows replace the stored ones")
    parser.add_argument("--out", type=Path, default=_RESULTS / "families.json")
    options = parser.parse_args(arguments)
    try:
        for row in _results(options.names or list(FAMILIES)):
            print(json.dumps(row, ensure_ascii=False), flush=True)
            stored = read_json(options.out)["rows"] if options.out.exists() else []
            rows = {one["family"]: one for one in [*stored, row]}
            write_json(options.out, {**_ABOUT, "rows": [rows[name] for name in FAMILIES if name in rows]})
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _results(names: Sequence[str]) -> Iterator[Json]:
    if unknown := [name for name in names if name not in FAMILIES]:
        raise unknown_name("family", unknown[0], FAMILIES)
    with tempfile.TemporaryDirectory() as folder:
        given = world(Path(folder))
        for name in names:
            with tempfile.TemporaryDirectory() as own:
                yield result_of(name, given, Path(own))


if __name__ == "__main__":
    sys.exit(main())
