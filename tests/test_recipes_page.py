"""Every example of docs/recipes.md is part of a project that resolves, and says what its comments say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from distill.core.config import load_yaml, merge
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.settings import resolve_settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "recipes.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def example(planted, tmp_path):
    """`example(index)`: the experiment of an example on top of the small project's task, data and views."""
    base = {key: value for key, value in load_yaml(planted).items() if key in ("task", "data", "views", "threads")}

    def get(index):
        given = merge({**base, "data": {**base["data"], "root": str(planted.parent)}}, yaml.safe_load(EXAMPLES[index]))
        file = tmp_path / "project.yaml"
        file.write_text(yaml.safe_dump({"students": {}, **given}, allow_unicode=True), encoding="utf-8")
        return Experiment(resolve_settings(file, tmp_path / "run"))

    return get


@pytest.mark.parametrize("index", range(len(EXAMPLES)))
def test_an_example_has_a_plan_in_which_each_step_finds_what_it_reads(example, index):
    made: set[str] = set()
    for stage in plan(example(index)):
        assert made >= set(stage.step.upstream), stage.step.name
        made.add(stage.step.artifact)


def test_the_examples_mean_what_the_page_says(example):
    models = [example(index).models for index in range(len(EXAMPLES))]
    assert models[1]["old_then_new"].starts_from.artifact == "teachers/old_then_new-old"
    mixed = example(2)
    assert mixed.gold_splits(mixed.models["with_rules"]) == {"train": 1, "extra.rules": 0.5}
    assert mixed.learnt_splits(mixed.models["with_model_made"]) == ["train", "extra.model_made"]
    assert [models[3][name].config.layers for name in ("base_trunc", "full_then_truncated", "after")] == [8, 8, 6]
    assert models[3]["after"].starts_from.artifact == "teachers/base"
    assert models[4]["kfold-kfold"].members == tuple(f"kfold-fold{number}" for number in range(1, 6))
    assert models[5]["base"].starts_from.artifact == "teachers/base@card"
    assert models[6]["4L"].starts_from.artifact == "adapted/base"
    assert models[7]["3L-gold-steps"].steps_of == ("8L", "6L", "3L")
    chain = example(8)
    assert chain.learnt_splits(chain.models["pool_first"]) == ["pool.urls"]
    assert chain.learnt_splits(chain.models["4L"]) == ["train"]
