"""Results worth keeping: a run's figures as JSON under `benchmarks/results`, and the pages generated from those files.

`python -m benchmarks.publish RUN --name wdc_products --title "…" --command "…"` stores one run and writes the pages
again; without RUN only the pages are written, with what `benchmarks.quality` stored there too. `--slices A B` adds the
accuracy of two of its models in each slice, `--compare A B` a comparison that the run's report does not have.
`docs/results.md` holds everything, the README one table between two markers.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.budget import BUDGET_FILE, as_markdown
from benchmarks.quality_table import markdown_overview, markdown_quality
from benchmarks.study_tables import CHAPTERS
from distill.core.errors import DistillError, UserError
from distill.core.files import read_json, write_json, write_text
from distill.evaluation.compare import compare, compare_by
from distill.report.tables import markdown_results, markdown_table

KEPT = ("schema", "task", "tests", "models", "comparisons", "latency", "parity", "gates", "stages", "environment")
WHERE_THERE = ("seeds", "stopped_seeds", "metric", "twins", "choice", "asked_twins", "training_history", "gates_off")
_MARKERS = re.compile(r"(<!-- results:(\S+) -->\n).*?(<!-- /results -->)", re.DOTALL)
_HEADER = "Generated from `benchmarks/results/*.json` by `python -m benchmarks.publish`; edits here are lost."


def store(
    run: Path,
    name: str,
    title: str,
    command: str,
    results: Path,
    slices: Sequence[tuple[str, str]] = (),
    pairs: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write the figures of a finished run into `results`; returns the file.

    Args: slices: pairs of models to compare slice by slice. pairs: pairs to compare beside those of the report.
    Raises: UserError when the run has no evaluated models, or not the models of a pair.
    """
    report = read_json(run / "report.json")
    if not report.get("models"):
        raise UserError("the run has no evaluated models", where=str(run), do="let the run finish first")
    path = results / f"{name}.json"
    kept = {key: report[key] for key in (*KEPT, *(key for key in WHERE_THERE if key in report))}
    kept["comparisons"] = [*kept["comparisons"], *(row for a, b in pairs for row in compare(run, a, b))]
    if slices:
        kept["slices"] = [compare_by(run, a, b, "slice") for a, b in slices]
    if (run / BUDGET_FILE).is_file():
        kept["budget"] = read_json(run / BUDGET_FILE)
    write_json(path, {"title": title, "command": command, **kept})
    return path


def results_page(results: Path) -> str:
    """`docs/results.md`: a list of contents, then every stored result, in the order of their names."""
    stored = [read_json(path) for path in sorted(results.glob("*.json"))]
    contents = "\n".join(f"- [{result['title']}](#{_anchor(result['title'])})" for result in stored)
    chapters = [_chapter(result) + _budget(result) + _made_by(result) for result in stored]
    return "\n\n".join(["<!-- " + _HEADER + " -->", contents, *chapters]) + "\n"


def _anchor(title: str) -> str:
    """The link target that Markdown readers give a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


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
    parser.add_argument(
        "--compare", nargs=2, action="append", default=[], metavar=("A", "B"), help="further comparison"
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the repository's root")
    options = parser.parse_args(arguments)
    try:
        results = options.root / "benchmarks" / "results"
        if options.run:
            given = (options.name, options.title, options.command)
            print(store(options.run, *given, results, options.slices, options.compare))
        write_text(options.root / "docs" / "results.md", results_page(results))
        readme = options.root / "README.md"
        write_text(readme, with_tables(readme.read_text(encoding="utf-8"), results))
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _chapter(result: dict[str, Any]) -> str:
    if (study := CHAPTERS.get(result.get("kind", ""))) is not None:
        return study(result)
    return markdown_quality(result) if _of_many_runs(result) else markdown_results(result, result["title"])


def _table(path: Path) -> str:
    result = read_json(path)
    return (markdown_overview(result) if _of_many_runs(result) else markdown_table(result)) + _made_by(result)


def _of_many_runs(result: dict[str, Any]) -> bool:
    """Whether `benchmarks.quality` wrote it; all others are the report of one run."""
    return result.get("kind") == "quality"


def _budget(result: dict[str, Any]) -> str:
    return f"\n{as_markdown(result['budget'])}" if "budget" in result else ""


def _made_by(result: dict[str, Any]) -> str:
    return f"\n\nMade by `{result['command']}`."


if __name__ == "__main__":
    sys.exit(main())
