"""The embedded projects' settings."""

import pytest

from distill.core.config import parse, parse_yaml
from distill.core.errors import UserError
from distill.core.project import Project
from distill.demo.projects import PROJECTS, settings_of, sizes_of


def project(name):
    return parse(Project, parse_yaml(settings_of(name), name), name)


@pytest.mark.parametrize("name", PROJECTS)
def test_every_project_is_one(name):
    assert project(name).task.positive == (None if name in ("demo-ru", "demo-preference") else "about_pr")


def test_the_demo_keeps_within_its_bounds():
    demo = project("demo")
    assert sizes_of("demo").train <= 1500 and demo.data.pool["runtime"].rows <= 4000
    assert demo.views["document"].max_tokens <= 160 and demo.views["card"].max_tokens <= 48
    assert demo.gates.retention_card == 0.95 and sizes_of("demo").pool == 20_000


def test_the_demo_fixes_the_length_of_its_fits():
    teacher, student = project("demo").teachers["base"]["training"], project("demo").students["8L_trunc"]["training"]
    assert (teacher["epochs"], student["epochs"]) == (2, 1)
    assert all((fit["optimiser"], fit["learning_rate"]) == ("muon", 1e-3) for fit in (teacher, student))


def test_the_full_demo_has_all_test_rows_the_whole_pool_and_three_seeds():
    full = project("demo-full")
    assert sizes_of("demo-full").test == 6000 and full.data.pool["runtime"].rows is None
    assert full.seeds == [1, 2, 3] and set(full.students) == {"8L", "8L_trunc", "6L", "6L_trunc"}


def test_an_unknown_project_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'demo-full'"):
        settings_of("demo-ful")
