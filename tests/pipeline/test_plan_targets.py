"""Which targets a plan exports each model as, what each starts from, and what redoes an export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.settings import resolve_settings
from export.targets.base import Source
from export.targets.onnx_fp32 import OnnxFp32
from tests.pipeline.seeds_project import write_project


class Again(OnnxFp32):
    """A second target judged by parity."""

    file: ClassVar[str] = "model.again.onnx"

    def build(self, source: Source, folder: Path) -> dict[str, Any]:
        raise NotImplementedError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def exports(project: Path, *sets: str):
    """Name without `export ` to step of every export, with a second fp32 target before those of the project."""
    settings = resolve_settings(project, project.parent / "run", sets=["export=[onnx, onnx-int8]", *sets])
    again = {"onnx-again": Again(name="onnx-again", target="onnx_again")}
    steps = [stage.step for stage in plan(Experiment(replace(settings, targets={**again, **settings.targets})))]
    return {step.name.removeprefix("export "): step for step in steps if step.name.startswith("export ")}


def test_teachers_leave_as_every_target_judged_by_parity_and_students_as_all(project):
    by_model: dict[str, set[str]] = {}
    for step in exports(project).values():
        _, model, target = step.artifact.split("/")
        by_model.setdefault(model, set()).add(target)
    teachers, students = by_model["new"], by_model["small"]
    assert teachers == {"onnx", "onnx-again"} and students == {"onnx", "onnx-again", "onnx-int8"}


def test_a_teacher_may_stay_as_it_was_trained(project):
    assert {step.artifact.split("/")[1] for step in exports(project, "teachers.new.export=false").values()} == {"small"}


def test_int8_starts_from_the_target_that_it_names_whatever_comes_first(project):
    assert "export/small/onnx" in exports(project)["small.onnx-int8"].upstream
    assert not [one for one in exports(project)["small.onnx-again"].upstream if one.startswith("export/")]


def test_limits_of_gates_redo_no_export(project):
    before = exports(project)
    after = exports(project, "gates.parity_fp32=1", "gates.int8_flips=0.5")
    assert {name: step.config for name, step in before.items()} == {name: step.config for name, step in after.items()}
