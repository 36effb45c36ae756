"""How a run ended, or that it has not: what report.json says of itself, and the sentence about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.core.current import made_anew
from distill.core.errors import DistillError, GateFailed
from distill.core.files import Json
from distill.core.manifest import MANIFEST
from distill.core.run_folder import EVALUATION
from distill.report.contents import Report, dig

UNFINISHED: Json = {"state": "unfinished"}
FINISHED: Json = {"state": "finished"}


def stopped(error: DistillError, stages: Sequence[Mapping[str, Any]], texts: bool = True) -> Json:
    """The `outcome` of a run that an error ended.

    Args: stages: of `run.json`; the last one may be what failed. texts: see `reason`.
    """
    step = stages[-1]["name"] if stages and stages[-1]["status"] == "failed" else None
    return stopped_because(reason(error, texts), step)


def reason(error: DistillError, texts: bool = True) -> str:
    """Why it ended, in one line.

    Args: texts: whether it may quote rows, as what an error has found may; what a gate has found is figures and ids.
    """
    return error.brief if texts or isinstance(error, GateFailed) else error.what


def stopped_because(why: str, step: str | None = None) -> Json:
    """The `outcome` of a run that ended early. Args: step: at which it did, where it was in one."""
    return {"state": "stopped", "step": step, "why": why}


def with_outcome_now(report: Report, run: Path) -> Report:
    """The report; it says that the run stopped where one that was killed has made anew what its figures are of."""
    measured = report.get("models") and (run / EVALUATION / MANIFEST).exists()
    if not measured or is_unfinished(report) or not (changed := made_anew(run, EVALUATION)):
        return report
    why = f"{changed} was made anew after these figures, which are of what it was before; give the command again"
    return {**report, "outcome": stopped_because(why)}


def is_stopped(report: Report) -> bool:
    """Whether the run ended early."""
    return dig(report, "outcome").get("state") == "stopped"


def is_unfinished(report: Report) -> bool:
    """Whether the report was written while the run went on."""
    return dig(report, "outcome").get("state") == "unfinished"


def outcome_sentence(report: Report) -> str:
    """Why the run stopped, or that it has not ended; empty for one that ended as it should, and for older reports."""
    outcome = dig(report, "outcome")
    if is_unfinished(report):
        return "The run has not ended: these are its figures so far."
    if not is_stopped(report):
        return ""
    step = outcome.get("step")
    return f"The run stopped{f' at “{step}”' if step else ''}: {outcome.get('why')}."
