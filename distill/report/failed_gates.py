"""The errors that failed gates end a run with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from distill.core.errors import GateFailed
from distill.evaluation.entries import Gate
from distill.evaluation.gates import LEAK, TEACHER, VALIDATION
from distill.report import formats
from distill.report.contents import Report, dig, entries, gates_of

_READ = "read the report, then mend the cause; a gate set to null in the config is off"
_LONGER = (
    "train longer (ceiling_steps, patience; no max_steps or epochs) or at another learning rate, or start from a "
    "better encoder"
)
_MORE_ROWS = "give more gold rows, or take another teacher"
_LEAKS = (
    "data.on_leak: drop_train takes their equals out of training and validation, data.on_card_leak: drop those that "
    "only read alike on cards; where ids are unique within a file only, data.id: null makes ids of the texts; or "
    "remove one of each by hand"
)

_VALIDATION = (
    "give more validation rows: in the files of data.valid, or by a larger data.split.valid where they are made of "
    "the training rows; a lower gates.validation_rows chooses on fewer, null is off"
)


def require_no_leak(gates: Sequence[Gate], where: str) -> None:
    """Check the leak gate. Raises: GateFailed with the ids of test rows that training has too."""
    leaks = [gate for gate in gates if gate.metric == LEAK]
    require(leaks, where, "the run stops here: training has rows of a test", _LEAKS)


def require_validation(gates: Sequence[Gate], where: str) -> None:
    """Check that there are enough validation rows. Raises: GateFailed naming the settings that they come from."""
    require([gate for gate in gates if gate.metric == VALIDATION], where, "nothing was trained", _VALIDATION)


def validation_warnings(gates: Sequence[Gate]) -> Iterator[str]:
    """That training will stop for too few validation rows, and what to do."""
    for gate in gates:
        if gate.metric == VALIDATION and not gate.passed:
            yield f"nothing can be trained: {gate_line(gate)}; {_VALIDATION}"


def require(gates: Sequence[Gate], where: str, outcome: str = "no bundle was made", do: str = _READ) -> None:
    """Check that every gate passed. Raises: GateFailed listing each that did not, with both figures and why.

    Args: where: the page. outcome: what came of it. do: what helps.
    """
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        raise GateFailed(
            f"{'1 gate' if len(failed) == 1 else f'{len(failed)} gates'} failed, {outcome}",
            where=where,
            found="; ".join(map(gate_line, failed)),
            do=do,
        )


def require_teacher(report: Report, where: str) -> None:
    """Check that the labels that were taken know something. Raises: GateFailed before anything is labelled."""
    failed = [gate for gate in gates_of(report) if gate.metric == TEACHER and gate.seed is None and not gate.passed]
    if failed:
        models = list(dig(report, "choice", "teachers"))
        endings = [
            f"{fit['model']}: {fit['reason']}" for fit in entries(report, "training_history") if fit["model"] in models
        ]
        better = _LONGER if endings else _MORE_ROWS  # only a fit in steps has a history
        raise GateFailed(
            f"the teacher knows no more than the class shares, so the pool was not labelled: {', '.join(models)}",
            where=where,
            found="; ".join([*map(gate_line, failed), *endings]),
            do=f"check the labels and the view's fields, {better}; gates.teacher_over_priors: null labels all the same",
        )


def gate_line(gate: Gate) -> str:
    """A gate as errors show it: what was required, what was measured and, where the gate says so, why."""
    figures = f"{gate.name}: required {formats.plain(gate.required)}, measured {formats.plain(gate.measured)}"
    return f"{figures} ({gate.why})" if gate.why else figures
