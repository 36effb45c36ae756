"""The example of docs/objectives.md is part of a project that resolves; its table names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from distill.core.config import load_yaml, merge
from distill.core.presets import preset_names
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.settings import resolve_settings

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "objectives.md").read_text(encoding="utf-8")


def test_the_example_has_a_plan_in_which_each_step_finds_what_it_reads(planted, tmp_path):
    base = {key: value for key, value in load_yaml(planted).items() if key in ("data", "views", "threads")}
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    given = merge({**base, "data": {**base["data"], "root": str(planted.parent)}}, yaml.safe_load(example))
    file = tmp_path / "project.yaml"
    file.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
    experiment, made = Experiment(resolve_settings(file, tmp_path / "run")), set()
    for stage in plan(experiment):
        assert made >= set(stage.step.upstream), stage.step.name
        made.add(stage.step.artifact)
    objectives = {name: getattr(spec.config, "training", None) for name, spec in experiment.models.items()}
    assert {name: one.objective.name() for name, one in objectives.items() if one and "-" not in name} == {
        **dict.fromkeys(("one", "one@card", "ce", "3L", "3L_of_mse"), "cross_entropy"),
        **dict.fromkeys(("mse", "opt", "3L_ordered"), "regression"),
        "8L_trunc_positive": "one_vs_rest",
    }


def test_the_presets_of_its_table_are_there():
    rows = re.findall(r"^\| (`.*?) \((teacher|students)\) \|", PAGE, re.MULTILINE)
    named = {(name, kind.rstrip("s")) for names, kind in rows for name in re.findall(r"`(\w+)`", names)}
    assert len(named) == 8
    assert all(name in preset_names(f"{kind}s") for name, kind in named)
