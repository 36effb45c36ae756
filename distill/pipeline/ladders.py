"""Which export target a student leaves by: the one that the project names, or where that fails its gates the next one
of its `falls_back`.

Each target is judged once, on validation rows that nothing of its file was chosen on, by the figures in its
`parity.json`; a changed limit is asked of the files that are there. So the plan grows by a target when the one before
it is made and has failed, and no test row has a say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.core.files import Json, read_object
from distill.core.manifest import read_whole
from distill.core.project import Gates
from distill.core.run_folder import RunFolder
from distill.evaluation.entries import Parity
from distill.evaluation.gates import changes_gates, judged_parity, parity_gates
from distill.families.family import CONFIG_FILE, family
from distill.pipeline.models import STUDENT, ModelSpec
from distill.pipeline.settings import Settings
from export.build import PARITY
from export.targets.base import Target
from teachers.config import TeacherEntry


@dataclass(frozen=True)
class Rung:
    """A target of a ladder. Attributes: in_place_of: the targets before it, each with the gates that it failed."""

    target: str
    in_place_of: Sequence[Json] = ()


def ladders(run: RunFolder, settings: Settings, spec: ModelSpec) -> list[list[Rung]]:
    """For each target that the project names and that is possible of a model: the rungs made so far, or to be made;
    the last one is taken.
    """
    if isinstance(spec.config, TeacherEntry) and not spec.config.export:
        return []
    asked = [name for name, target in settings.targets.items() if obstacle(spec, target) is None]
    return [_climbed(run, settings, spec, name) for name in asked]


def obstacle(spec: ModelSpec, target: Target) -> str | None:
    """Why a model cannot leave as a target; None where it can.

    Students leave as every target that their family can be; teachers, for the latency report, as those judged by
    parity.
    """
    own = family(spec.family)
    if not own.exports:
        return f"no target can write the family {spec.family}"
    if target.quantises and not own.products:
        return f"the family {spec.family} has no products of layers to round"
    if target.refits and (why := _no_further_fit(spec)):
        return why
    return None if spec.role == STUDENT or target.criterion == "parity" else "only students do"


def _no_further_fit(spec: ModelSpec) -> str | None:
    """Why no fit can go on from the finished model; None where one can."""
    training = getattr(spec.config, "training", None)
    if training is None or not family(spec.family).layered:
        return f"the family {spec.family} cannot be fitted on with layers that round"
    if training.objective.folds:
        name = training.objective.name()
        return f"its head is folded at the end (training.objective: {name}), so that no fit goes on from it"
    return None


def _climbed(run: RunFolder, settings: Settings, spec: ModelSpec, asked: str) -> list[Rung]:
    found, failed = [Rung(asked)], list[Json]()
    for after in settings.targets[asked].falls_back:
        if obstacle(spec, settings.target(after)):
            continue
        last = settings.target(found[-1].target)
        gates = _failed(run / RunFolder.export(spec.name, last.name), last, settings.project.gates)
        if not gates:
            break
        if settings.target(after).problem_with(read_object(run / spec.artifact / CONFIG_FILE)):
            continue
        failed = [*failed, {"target": last.name, "failed": gates}]
        found.append(Rung(after, failed))
    return found


def _failed(folder: Path, target: Target, gates: Gates) -> list[Json]:
    """The gates that an exported file fails; none while it is not made."""
    entry: Mapping[str, object] | None = read_whole(folder, PARITY)
    if entry is None:
        return []
    judged = [Parity.from_json(one) for one in judged_parity(gates, [{**entry, "limits": target.declared()}])]
    return [gate.as_json() for gate in [*parity_gates(judged), *changes_gates(gates, judged)] if not gate.passed]
