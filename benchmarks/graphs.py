"""What the graphs of small encoders cost on processors: forms × threads × lengths, a floor, optimum's file, the start.

    python -m benchmarks.graphs --encoder FOLDER --shape 12x768 --optimum-python OPTIMUM/bin/python

Every form answers cards of exact lengths at batch 1, from record to logits, in one process and in rounds; ratios are to
the int8 file as ONNX Runtime's quantiser leaves it. A floor is a graph of the same products and nothing else. The
last line is JSON holding `ratios`. `--store NAME` keeps the result and writes the pages.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import environment
from benchmarks.graph_floor import gemm_floor
from benchmarks.graph_forms import BEFORE, EXACT, FUSED, SHIPPED, write_forms
from benchmarks.graph_models import card, require_shapes, write_bundle, write_classifier
from benchmarks.graph_optimum import OPTIMUM, optimum_int8, require_optimum
from benchmarks.graph_start import starts
from benchmarks.publish import write_pages
from benchmarks.rounds import Rounds, interleaved, ratio
from distill.core.errors import DistillError
from distill.core.files import Json, write_json
from distill.core.view import View
from distill.families.family import Opening
from distill.models import to_onnx
from export.targets.onnx_fp32 import OnnxFp32

FLOOR, EXACT_FLOOR = "floor of int8: the products alone", "floor of fp32: the products alone"
_TITLE = "What the graphs of small encoders cost on processors"
_SHAPE_TOKENS = 192


def measure(options: argparse.Namespace, folder: Path, how: Rounds) -> Json:
    """The content of a result of the kind `graphs`; `folder` is for files that are made on the way."""
    rows: list[Json] = []
    shapes: list[Json] = []
    begun: list[Json] = []
    for number, shape in enumerate([None, *options.shape]):
        place = folder / str(number)
        lengths = [_SHAPE_TOKENS] if shape else options.tokens
        facts = write_classifier(options.encoder, place / "model", max(lengths), shape)
        to_onnx.export_fp32(place / "model", place / "fp32.onnx")
        files = write_forms(place / "fp32.onnx", place, facts["heads"], few=shape is not None)
        shapes.append(facts)
        if shape and options.optimum_python:
            files = {OPTIMUM: optimum_int8(options.optimum_python, place / "model", place), **files}
        for threads in options.threads:
            for tokens in lengths:
                rows += _rows(facts, place / "model", files, threads, tokens, how)
        if shape is None:
            bundle = write_bundle(place, place / "model", [files[EXACT], files[SHIPPED]])
            begun = starts(bundle, place / "receipts", options.starts)
    return {
        "kind": "graphs",
        "title": _TITLE,
        "command": "python -m benchmarks.graphs " + " ".join(_told(options)),
        "shapes": shapes,
        "rows": rows,
        "starts": begun,
        "ratios": ratios(rows),
        "settings": {**how._asdict(), "batch": 1},
        "environment": environment(),
    }


def ratios(rows: Sequence[Mapping[str, Any]]) -> Json:
    """How many times as fast the shipped int8 file is as before, as its floor and as optimum's, and fp32 as its own."""
    found = {}
    for row in rows:
        where = f"{row['shape']}, {row['tokens']} tokens, {row['threads']} threads"
        if row["form"] == SHIPPED:
            found[f"{where}: shipped vs before"] = row["ratio"]
            found[f"{where}: shipped vs floor"] = row["vs_floor"]
            if "vs_optimum" in row:
                found[f"{where}: shipped vs optimum"] = row["vs_optimum"]
        elif row["form"] == BEFORE:
            found[f"{where}: before vs floor"] = row["vs_floor"]
        elif row["form"] == EXACT:
            found[f"{where}: fp32 vs floor"] = row["vs_floor"]
    return found


def _rows(facts: Json, model: Path, files: Mapping[str, Path], threads: int, tokens: int, how: Rounds) -> list[Json]:
    """Every form at one number of threads and one length."""
    print(f"{facts['name']}: {tokens} tokens, {threads} threads", file=sys.stderr, flush=True)
    asked = {name: _asking(path, model, threads, tokens) for name, path in files.items()}
    for floor in (FLOOR, EXACT_FLOOR):
        asked[floor] = _floor(facts, threads, tokens, exact=floor == EXACT_FLOOR)
    times = interleaved(asked, how)
    return [
        {
            "shape": facts["name"],
            "threads": threads,
            "tokens": tokens,
            "form": name,
            "median_ms": float(np.median(found)),
            "least_ms": float(found.min()),
            "ratio": ratio(times[BEFORE], found),
            "vs_floor": ratio(times[EXACT_FLOOR if name in (EXACT, FUSED, EXACT_FLOOR) else FLOOR], found),
            **({"vs_optimum": ratio(times[OPTIMUM], found)} if OPTIMUM in times else {}),
        }
        for name, found in times.items()
    ]


def _asking(file: Path, model: Path, threads: int, tokens: int) -> Callable[[], object]:
    """Answering one card, from record to logits."""
    reader = OnnxFp32.scorer(file.parent, model, Opening(threads))
    row = card(View.load(model).renderer(), tokens)
    return lambda: reader.answer(reader.prepare([row]))


def _floor(facts: Json, threads: int, tokens: int, *, exact: bool) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    proto = gemm_floor(facts, tokens, exact=exact).SerializeToString()
    session = onnxruntime.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    chance = np.random.default_rng(1)
    given = {
        item.name: chance.integers(0, 255, item.shape).astype(np.uint8 if "uint8" in item.type else np.float32)
        for item in session.get_inputs()
    }
    return lambda: session.run(None, given)


def _told(options: argparse.Namespace) -> list[str]:
    """The command's options without paths of this machine."""
    told = [
        "--encoder",
        options.encoder.name.upper(),
        *(word for shape in options.shape for word in ("--shape", shape)),
    ]
    told += ["--tokens", *map(str, options.tokens), "--threads", *map(str, options.threads)]
    return [*told, *(["--optimum-python", "OPTIMUM/bin/python"] if options.optimum_python else [])]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graphs", description=__doc__.partition("\n")[0])
    parser.add_argument("--encoder", type=Path, required=True, help="folder of a BERT, such as MiniLM")
    parser.add_argument(
        "--shape", action="append", default=[], help="LAYERSxWIDTH of a BERT with random weights, too, at 192 tokens"
    )
    parser.add_argument("--tokens", type=int, nargs="+", default=[25, 64, 192], help="lengths of cards")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=Rounds().rounds)
    parser.add_argument("--starts", type=int, default=9, help="fresh processes that open the bundle")
    parser.add_argument("--optimum-python", help="interpreter of requirements/optimum.txt: its file is timed, too")
    parser.add_argument("--store", help="name of the stored result; writes the pages again")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository's root")
    options = parser.parse_args(arguments)
    require_shapes(options.encoder, options.shape)
    if options.optimum_python:
        require_optimum(options.optimum_python)
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
    try:
        options = _options(arguments)
        with tempfile.TemporaryDirectory(prefix="graphs-") as folder:
            result = measure(options, Path(folder), Rounds(rounds=options.rounds))
        if options.store:
            write_json(options.root / "benchmarks" / "results" / f"{options.store}.json", result)
            write_pages(options.root)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"ratios": result["ratios"], "starts": result["starts"]}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
