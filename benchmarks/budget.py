"""What the demo takes: seconds of each part against a budget written down before it was measured, and its memory.

`python -m benchmarks.budget FOLDER` runs the demo into FOLDER, which must not exist yet, and writes FOLDER/budget.json,
which `benchmarks.publish` keeps. Exit code 3 when the whole demo takes more time or memory than its limits.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from distill.core.errors import DistillError, GateFailed, UserError
from distill.core.files import read_json, write_json
from distill.report.table_model import Column, Sheet
from distill.report.tables import markdown

BUDGET_FILE = "budget.json"
LIMIT_S, LIMIT_GIB = 360.0, 4.0
COMMAND = ("--teacher", "base", "--student", "8L_trunc")
_WAIT_S = 0.25


class Part(NamedTuple):
    """A part of the demo: the seconds that it may take, and the names of its stages."""

    name: str
    seconds: float
    stages: str


# For two processor cores; the rest up to LIMIT_S is for starting Python and for the report.
BUDGET = (
    Part("audit", 10, r"records|audit|checkpoint .*"),
    Part("teacher", 80, r"teach base@document"),
    Part("soft labels", 30, r"label .*"),
    Part("student", 50, r"train 8L_trunc"),
    Part("gold-only students and teacher on cards", 80, r"train .*-gold(-steps)?|teach base@card"),
    Part("answers and evaluation", 30, r"predict .*|choose labels|ask gold-only twins|evaluate"),
    Part("export and parity", 40, r"export .*"),
    Part("latency", 25, r"bench"),
    Part("controls", 5, r"train tfidf"),
    Part("bundle", 5, r"bundle .*"),
)


def measure(folder: Path) -> dict[str, Any]:
    """Run the demo into `folder`; returns and writes what its parts took.

    Raises: UserError when the folder exists or the demo ends with an error.
    """
    if folder.exists():
        raise UserError("the folder exists", where=str(folder), do="give a new one: finished steps would be skipped")
    started = time.monotonic()
    process = subprocess.Popen(_start(folder))
    peak = _watch(process)
    if process.returncode:
        raise UserError("the demo ended with an error", where=str(folder), found=f"exit code {process.returncode}")
    found = {
        "command": " ".join(("distill", *COMMAND)),
        "seconds": round(time.monotonic() - started, 1),
        "limit_seconds": LIMIT_S,
        "peak_gib": round(peak / 2**30, 2),
        "limit_gib": LIMIT_GIB,
        "parts": parts_of(read_json(folder / "run.json")["stages"]),
    }
    write_json(folder / BUDGET_FILE, found)
    return found


def _start(folder: Path) -> list[str]:
    return [sys.executable, "-m", "distill", *COMMAND, "--out", str(folder)]


def _watch(process: subprocess.Popen[bytes]) -> int:
    """The most bytes that the process and its children held at once; pages that they share count for each."""
    import psutil

    peak = 0
    while process.poll() is None:
        held = 0
        try:
            parent = psutil.Process(process.pid)
            for one in (parent, *parent.children(recursive=True)):
                held += one.memory_info().rss
        except psutil.NoSuchProcess:
            pass
        peak = max(peak, held)
        time.sleep(_WAIT_S)
    return peak


def parts_of(stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Budget and measured seconds of every part. Raises: UserError for a stage that belongs to none."""
    spent = dict.fromkeys((part.name for part in BUDGET), 0.0)
    for stage in stages:
        owner = next((part.name for part in BUDGET if re.fullmatch(part.stages, stage["name"])), None)
        if owner is None:
            raise UserError("a stage has no budget", found=stage["name"], do="give it one in benchmarks/budget.py")
        spent[owner] += stage["seconds"]
    return [{"name": part.name, "budget": part.seconds, "seconds": round(spent[part.name], 1)} for part in BUDGET]


def as_markdown(found: Mapping[str, Any]) -> str:
    """A chapter with the table."""
    total = {"name": "whole command", "budget": found["limit_seconds"], "seconds": found["seconds"]}
    columns = [
        Column("Part", lambda row: str(row["name"]), kind="text"),
        Column("Budget, s", lambda row: f"{row['budget']:.0f}"),
        Column("Measured, s", lambda row: f"{row['seconds']:.0f}"),
    ]
    sentence = (
        f"Seconds of `{found['command']}` on two processor cores; the budget was written down first. At most "
        f"{found['peak_gib']:.1f} GiB of memory were held at once, of {found['limit_gib']:.0f} allowed."
    )
    return f"## Time and memory\n\n{sentence}\n\n{markdown(Sheet('', columns, [*found['parts'], total]))}"


def require(found: Mapping[str, Any]) -> None:
    """Check that the whole command stayed within its limits. Raises: GateFailed."""
    over = [
        f"{found[figure]} {unit} of {found[limit]}"
        for figure, limit, unit in (("seconds", "limit_seconds", "s"), ("peak_gib", "limit_gib", "GiB"))
        if found[figure] > found[limit]
    ]
    if over:
        raise GateFailed("the demo is over its limits", found=", ".join(over), do="see which part grew")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget", description=__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    try:
        found = measure(options.folder)
        print(as_markdown(found))
        require(found)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
