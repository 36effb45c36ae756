"""Results worth keeping: a run's figures as JSON under `benchmarks/results`, and the pages generated from those files.

`python -m benchmarks.publish RUN --name wdc_products --title "…" --command "…"` stores one run and writes the pages
again; without RUN only the pages are written, with what `benchmarks.quality` stored there too. `--slices A B` adds the
accuracy of two of its models in each slice.
`docs/results.md` has a short chapter on each result, `docs/results/NAME.md` all its tables, the README and other pages
a table between two markers; `docs/gpu.md` has what `benchmarks.gpu` measured, or says what was never run. What is said
of a result is in `benchmarks/results/summaries.yaml`, with its figures named.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.budget import BUDGET_FILE
from benchmarks.gpu.page import PAGE as GPU_PAGE
from benchmarks.gpu.page import RESULTS as GPU_RESULTS
from benchmarks.gpu.page import gpu_page
from benchmarks.mission import FILE as MISSION
from benchmarks.mission import PAGE as MISSION_PAGE
from benchmarks.mission import mission_page, read_mission
from benchmarks.result_kinds import kind_of
from benchmarks.results_page import FOLDER, HEADER, made_by, pages
from distill.core.errors import DistillError, UserError
from distill.core.files import read_json, write_json, write_text
from distill.core.sealed import read_sealed
from distill.evaluation.compare import compare_by

KEPT = ("schema", "task", "tests", "models", "comparisons", "latency", "parity", "gates", "stages", "environment")
WHERE_THERE = (
    *("training_seed", "seeds", "stopped_seeds", "keys", "metric", "twins", "choice", "asked_twins"),
    *("training_history", "gates_off"),
)
_MARKERS = re.compile(r"(<!-- results:(\S+) -->\n).*?(<!-- /results -->)", re.DOTALL)


class About(NamedTuple):
    """What a stored result is called: name of its file, title, the command that made it, and its kind."""

    name: str
    title: str = ""
    command: str = ""
    kind: str = "run"


def store(run: Path, results: Path, about: About, slices: Sequence[tuple[str, str]] = ()) -> Path:
    """Write the figures of a finished run into `results`; returns the file.

    Args: slices: pairs of models to compare slice by slice.
    Raises: UserError when the run has no evaluated models, or not the models of a pair.
    """
    report = read_sealed(run / "report.json")
    if not report.get("models"):
        raise UserError("the run has no evaluated models", where=str(run), do="let the run finish first")
    path = results / f"{about.name}.json"
    kept = {key: report[key] for key in (*KEPT, *(key for key in WHERE_THERE if key in report))}
    if slices:
        kept["slices"] = [compare_by(run, a, b, "slice") for a, b in slices]
    if (run / BUDGET_FILE).is_file():
        kept["budget"] = read_json(run / BUDGET_FILE)
    kind = {} if about.kind == "run" else {"kind": about.kind}
    write_json(path, {**kind, "title": about.title, "command": about.command, **kept})
    return path


def write_pages(root: Path) -> None:
    """Write every page of the stored results, and remove pages of results that are gone.

    Raises: UserError for a block between markers or a summary that names no stored result.
    """
    results, docs = root / "benchmarks" / "results", root / "docs"
    made = {docs / name: text for name, text in pages(results).items()}
    if (mission := root / "benchmarks" / MISSION.name).is_file():
        made[docs / MISSION_PAGE] = mission_page(read_mission(mission), results)
    if (root / "benchmarks" / "gpu").is_dir():
        made[docs / GPU_PAGE] = gpu_page(results / GPU_RESULTS)
    for path in (root / "README.md", *(path for path in docs.glob("*.md") if path not in made)):
        made[path] = with_tables(path.read_text(encoding="utf-8"), results)
    for path, text in made.items():
        write_text(path, text)
    for path in (docs / FOLDER).glob("*.md"):
        if path not in made and path.read_text(encoding="utf-8").startswith(HEADER):
            path.unlink()


def with_tables(text: str, results: Path) -> str:
    """`text` with each `<!-- results:NAME -->` block filled with that result's main table and its command.

    Raises: UserError for a block that names no stored result.
    """
    return _MARKERS.sub(lambda match: f"{match[1]}{_table(results / f'{match[2]}.json')}\n{match[3]}", text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description=__doc__)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--name", default="run")
    parser.add_argument("--title", default="Results")
    parser.add_argument("--command", default="distill")
    parser.add_argument("--slices", nargs=2, action="append", default=[], metavar=("A", "B"), help="models to compare")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository's root")
    options = parser.parse_args(arguments)
    try:
        results = options.root / "benchmarks" / "results"
        if options.run:
            about = About(options.name, options.title, options.command)
            print(store(options.run, results, about, options.slices))
        write_pages(options.root)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _table(path: Path) -> str:
    result = read_json(path)
    return f"{kind_of(result).readme(result)}\n\n{made_by(result)}"


if __name__ == "__main__":
    sys.exit(main())
