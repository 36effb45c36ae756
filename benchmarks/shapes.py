"""How much faster than a teacher on documents a student on cards is by its shape alone: random weights, real lengths.

`python -m benchmarks.shapes --data DATA --encoder FOLDER` times a teacher in PyTorch fp32, ONNX fp32 and int8 on the
documents of wdc_products' test of unseen products, and students of each shape in PyTorch, fp32 and int8 on their cards,
as `distill bench` does. Weights do not matter for speed; what a student of that shape knows is another question.
With `--run RUN`, a finished run on the same data set, the exported students of that run are timed among them, and the
result has their quality beside their speed. The last line is JSON holding `ratios`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.bench import Bench
from benchmarks.config import BenchConfig
from benchmarks.datasets import PROJECTS, read_rows
from benchmarks.graph_models import random_classifier, require_shapes
from benchmarks.latency_rows import ratios
from benchmarks.publish import write_pages
from benchmarks.subjects import Subject, find, trained_subject
from distill.core.config import overrides, parse
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, write_json
from distill.core.project import ViewConfig
from distill.core.sealed import read_sealed
from distill.core.view import TOKENIZER_FILE, View

_SET, _TEST = "wdc_products", "test_unseen"
_LABELS = ("0", "1")
_TITLE = "Speed by shape alone: random weights on the lengths of real offers"
DOCUMENT, CARD = "document", "card"
_METRIC = "f1_macro"


def measure(options: argparse.Namespace, folder: Path) -> Json:
    """Time the teacher and every student in one run. Returns: the content of `latency.json`, and `kind`, `title`,
    `command`, `ratios`; `trained`: of each exported student of `--run` its macro F1 on test, that of the run's card
    teacher, and the share that it keeps.

    Raises: UserError for missing data, a run without an exported student or a card teacher, and settings that the
        benchmark does not have.
    """
    views = _views()
    rows = read_rows(options.data / _SET / _TEST)
    config = parse(BenchConfig, overrides(options.set), "--set", "bench")
    students, quality = _trained(options.run) if options.run else ([], {})
    subjects = [*_forms(options.encoder, options.teacher, DOCUMENT, views, folder)]
    for shape in options.student:
        subjects += _forms(options.encoder, shape, CARD, views, folder)
    subjects += students
    bench = Bench(subjects, {view: rows for view in views}, config, options.threads)
    result = bench.run(_print_progress).result()
    command = "python -m benchmarks.shapes --data DATA --encoder ENCODER"
    told = [f"--teacher {options.teacher}", *(f"--student {shape}" for shape in options.student)]
    told += ["--run RUN"] if options.run else []
    return {
        "kind": "shapes",
        "title": _TITLE,
        "command": " ".join([command, *told]),
        "ratios": ratios(result["rows"]),
        "trained": quality,
        **result,
    }


def _trained(run: Path) -> tuple[list[Subject], dict[str, Json]]:
    """The exported students of a finished run that read cards, and what each keeps of the run's card teacher."""
    report = run / "report.json"
    if not report.is_file():
        raise UserError("no report of a finished run", where=str(report), do="give the folder of a run that has ended")
    models = read_sealed(report)["models"]
    teachers = [one for one in models if one["role"] == "teacher" and one["view"] == CARD and not one.get("made_from")]
    files = [one for one in find(run)[0] if one.role == "student" and one.view == CARD and one.export is not None]
    by_name = {model["name"]: model["quality"] for model in models}
    files = [one for one in files if one.name in by_name]
    if not teachers or not files:
        missing = "card teacher" if not teachers else "exported student on cards"
        raise UserError(f"the run has no {missing}", where=str(run), do="run it with `export` and a card teacher")
    whole = teachers[0]["quality"][_METRIC]
    quality = {}
    for file in files:
        own = by_name[file.name][_METRIC]
        share = own["value"] / whole["value"]
        quality[file.name] = {_METRIC: own, "card_teacher": whole, "share_of_card_teacher": share}
    return files, quality


def _views() -> Mapping[str, ViewConfig]:
    """Both views of the data set's project."""
    path = PROJECTS / f"{_SET}.yaml"
    stored = yaml.safe_load(path.read_text(encoding="utf-8"))["views"]
    return {name: parse(ViewConfig, stored[name], str(path), f"views.{name}") for name in (DOCUMENT, CARD)}


def _forms(encoder: Path, shape: str, view: str, views: Mapping[str, ViewConfig], folder: Path) -> list[Subject]:
    """A classifier of a shape in PyTorch, in ONNX fp32, and in the int8 that rounds every product of its layers."""
    from distill.core.tokenizer_settings import write_settings
    from distill.families.copying import copy_files
    from distill.families.family import family_of
    from distill.models.encoder import input_names
    from distill.models.quiet_transformers import quiet_transformers
    from distill.models.to_onnx import export_fp32
    from export import int8
    from export.config import load_target
    from export.targets.onnx_fp32 import OnnxFp32
    from export.targets.onnx_int8_dynamic import OnnxInt8Dynamic

    print(f"making {shape} on the {view}", file=sys.stderr, flush=True)
    model_folder = folder / f"{shape}@{view}"
    copy_files(encoder, model_folder)
    model = random_classifier(encoder, shape, _LABELS)
    with quiet_transformers():
        model.save_pretrained(model_folder)
    bound = View(view, views[view], model_folder / TOKENIZER_FILE)
    bound.save(model_folder)
    write_settings(bound, model_folder, input_names(model))
    files = {name: folder / f"{shape}@{view}.{name}" for name in ("onnx", "onnx-int8")}
    for place in files.values():
        place.mkdir()
    fp32 = files["onnx"] / OnnxFp32.model
    export_fp32(model_folder, fp32)
    int8.quantise(fp32, files["onnx-int8"] / OnnxInt8Dynamic.model)
    role = "teacher" if view == DOCUMENT else "student"
    trained = trained_subject(model_folder.name, view, model_folder, role, family_of(model_folder))
    exported = [trained.exported(load_target(name), place) for name, place in files.items()]
    return [trained, *(replace(one, speed_only=True) for one in exported)]


def _print_progress(done: int, total: int, name: str) -> None:
    if done < total:
        print(f"[{done + 1}/{total}] {name}", file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shapes", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help=f"folder of the data sets, {_SET} among them")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of a BERT, whose tokenizer serves")
    parser.add_argument("--teacher", default="12x768", metavar="LAYERSxWIDTH")
    parser.add_argument("--student", action="append", default=[], metavar="LAYERSxWIDTH", help="repeats")
    parser.add_argument(
        "--run", type=Path, help=f"a finished run on {_SET}: its exported students are timed among them"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of every model; all cores by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of bench")
    parser.add_argument("--store", help="name of the stored result; writes the pages again")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository's root")
    options = parser.parse_args(arguments)
    options.student = options.student or ["6x768", "6x384", "3x384"]
    require_shapes(options.encoder, [options.teacher, *options.student])
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
    try:
        options = _options(arguments)
        with tempfile.TemporaryDirectory(prefix="shapes-") as folder:
            result: dict[str, Any] = measure(options, Path(folder))
        if options.store:
            write_json(options.root / "benchmarks" / "results" / f"{options.store}.json", result)
            write_pages(options.root)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"ratios": result["ratios"]}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
