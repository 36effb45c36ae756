"""The cascade on 2,400 unlabelled texts of four kinds: coverage, cost, agreement with their sources, a sheet and back.

`python -m benchmarks.cascade --data FOLDER` takes texts of `pool_text`, runs `distill label` with keywords, embeddings
and a language model that is a server of this process answering from a fixed table, has `distill sample` draw a sheet,
fills it in from the sources of the texts, once as they are and once with errors as a second judge, and reads it back.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.cascade_texts import LABELS, write_texts
from benchmarks.commands import run_logged
from benchmarks.environment import environment
from benchmarks.fixed_answers import answering, key_of
from distill.core.errors import DistillError, UserError
from distill.core.files import Json, read_json, write_json
from distill.core.intake.hashing import unit
from distill.core.soft_labels import OK, read_soft_labels
from distill.core.staged import COVERAGE_FILE, read_staged
from distill.evaluation.proportions import wilson

_ROOT = Path(__file__).resolve().parents[1]
_PROJECT = _ROOT / "benchmarks" / "projects" / "pool_text.yaml"
_THRESHOLD = ("name", "threshold", "problem", "chosen")
_TABLE_WRONG, _JUDGE_WRONG, _SHEET_ROWS = 0.08, 0.05, 100


def measured(data: Path, folder: Path, encoder: str | None, nli: str | None) -> Json:
    """All figures. Args: data: the folder `pool_text`. folder: empty, for the run. encoder, nli: models of the stages.

    Raises: UserError when the texts are not there, or a command fails.
    """
    started = time.monotonic()
    kinds = write_texts(data, folder)
    labelled = {name: _rows(folder / f"{name}.jsonl") for name in ("train", "valid", "test")}
    known = {row["text"]: row["label"] for rows in labelled.values() for row in rows}
    known |= {row["text"]: kinds[row["id"]] for row in _rows(folder / "pool.jsonl")}
    run = folder / "run"
    with answering(fixed_table(known)) as url:
        project = _project(folder, url, encoder, nli)
        _distill(["label", f"--config={project}", f"--out={run}"], folder / "label.log")
    stages = read_json(run / "teachers" / "cascade" / "config.json")["distill"]["stages"]
    return {
        "coverage": read_json(run / "labels" / "cascade" / COVERAGE_FILE),
        "thresholds": [{key: stage[key] for key in _THRESHOLD} for stage in stages],
        "agreement": agreement(run, kinds),
        "sheet": _round_trip(run, folder, kinds),
        "encoders": {
            "embeddings": Path(encoder).name if encoder else "base",
            "zero_shot": Path(nli).name if nli else None,
        },
        "seconds": round(time.monotonic() - started, 1),
    }


def fixed_table(known: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """What the server answers about each text: the kind of its source, or for 8% of the texts another, less sure."""
    table = {}
    for text, label in known.items():
        wrong = unit(1, "table", text) < _TABLE_WRONG
        said = _other(text, label) if wrong else label
        sure = 0.7 + (0.2 if wrong else 0.29) * unit(2, "table", text)
        table[key_of(text)] = {one: sure if one == said else (1 - sure) / (len(LABELS) - 1) for one in LABELS}
    return table


def agreement(run: Path, kinds: Mapping[str, str]) -> list[Json]:
    """How often the label of a text of the pool is the kind of its source, by stage and in all, with intervals."""
    store, found = read_soft_labels(run / "labels" / "cascade"), read_staged(run / "labels" / "cascade")
    assert found is not None
    predicted = [LABELS[label] for label in store.logits.argmax(axis=1)]
    rows = [
        (stage, predicted[at] == kinds[store.ids[at]])
        for at, stage in enumerate(found[1].stage)
        if store.ids[at] in kinds and store.status[at] == OK
    ]
    named = {stage: [right for one, right in rows if one == stage] for stage in found[1].costs}
    groups = {**{stage: own for stage, own in named.items() if own}, "all": [right for _, right in rows]}
    return [
        {"stage": stage, "rows": len(own), "of": len(kinds), "agreement": wilson(sum(own) / len(own), len(own))}
        for stage, own in groups.items()
    ]


def _round_trip(run: Path, folder: Path, kinds: Mapping[str, str]) -> Json:
    """What `distill sample` reads back from a sheet that the sources fill in, and from a second judge's."""
    sheet, second = folder / "sheet.csv", folder / "second.csv"
    _distill(["sample", str(run), f"--rows={_SHEET_ROWS}", f"--out={sheet}"], folder / "sample.log")
    second.write_bytes(sheet.read_bytes())
    _fill(sheet, kinds)
    wrong = {name: _other(name, label) if unit(3, name) < _JUDGE_WRONG else label for name, label in kinds.items()}
    _fill(second, wrong)
    out = folder / "read.log"
    _distill(["sample", str(run), f"--read={sheet}", f"--second={second}", "--json"], out)
    found: Json = json.loads(out.read_text(encoding="utf-8").splitlines()[-1])
    return found


def _fill(sheet: Path, labels: Mapping[str, str]) -> None:
    """Fill in a sheet, saved as a spreadsheet of many countries does: with semicolons."""
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    for row in rows:
        row[head.index("label")] = labels[row[0].removeprefix("'")]
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows([head, *rows])


def _project(folder: Path, url: str, encoder: str | None, nli: str | None) -> Path:
    """The project with the server's address and the models of its stages."""
    text = _PROJECT.read_text(encoding="utf-8").replace("http://localhost:1/v1", url)
    if encoder:
        text = text.replace("model: base", f"model: {json.dumps(encoder)}")
    if nli:
        text = text.replace("stage: zero_shot,", f"stage: zero_shot, model: {json.dumps(nli)},")
    path = folder / "project.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _other(text: str, label: str) -> str:
    others = [one for one in LABELS if one != label]
    return others[int(unit(4, text) * len(others))]


def _rows(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _distill(arguments: Sequence[str], log: Path) -> None:
    failed = run_logged(arguments[0], [sys.executable, "-P", "-m", "distill", *arguments], _ROOT, log)
    if failed:
        raise UserError("a command failed", found=failed)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cascade", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder pool_text")
    parser.add_argument("--encoder", help="folder of the encoder of the stage embeddings; by default the embedded one")
    parser.add_argument("--nli", help="folder of a classifier of natural language inference, for the stage zero_shot")
    parser.add_argument("--out", type=Path, default=_ROOT / "benchmarks" / "results" / "cascade.json")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = measured(options.data, Path(folder), options.encoder, options.nli)
        flags = "".join(f" --{name} {name.upper()}" for name in ("encoder", "nli") if getattr(options, name))
        about = {
            "kind": "cascade",
            "title": "A cascade on 2,400 unlabelled texts",
            "command": f"python -m benchmarks.cascade --data DATA{flags}",
        }
        write_json(options.out, {**about, **found, "environment": environment()})
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"ratios": {one["stage"]: one["agreement"]["value"] for one in found["agreement"]}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
