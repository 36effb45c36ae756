"""The ablation's command on a tiny world: a base run, a run for each ingredient, one that fails, and a second start."""

from __future__ import annotations

import json

import pytest
import yaml

from benchmarks import ablation, datasets, publish
from benchmarks.ablation import begin_with
from benchmarks.ablation_summary import Cell, base_of, cell_of, differences, outcome_file
from benchmarks.ablation_table import change, markdown_ablation, markdown_changes
from benchmarks.datasets import DataSet
from benchmarks.ingredients import Setting, read_ingredients
from distill.core.config import load_yaml
from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.manifest import write_manifest
from distill.core.sealed import write_sealed
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.settings import resolve_settings
from tests.benchmarks.quality_reports import new_report
from tests.cli.planted_project import PROJECT, write_project
from tests.evaluation.test_across_runs import changed, make_run, seeds_run
from tests.evaluation.test_compare import A, B
from tests.training.toy import toy_encoder

INGREDIENTS = {
    "layer_decay": {"words": "falling rates", "sets": ["teachers.$teacher.training.layer_decay=0.5"]},
    "unknown": {"words": "no such field", "sets": ["students.$student.layer_dcay=2"]},
    "offers": {"words": "needs what is not there", "sets": ["labels=card"], "needs": ["documents"]},
}


class World:
    """A set called `tiny`, and the command for it."""

    def __init__(self, folder):
        self.folder, self.results = folder, folder / "results" / "ablation.json"

    def __call__(self, *more):
        places = {"data": "data", "encoder": "encoder", "work": "work", "results": "results"}
        options = [part for flag, name in places.items() for part in (f"--{flag}", str(self.folder / name))]
        return ablation.main(["tiny", *options, "--ingredients", str(self.folder / "list.yaml"), *more])

    def cells(self):
        (found,) = read_json(self.results)["sets"]
        return {"base": found["base"], **{cell["ingredient"]: cell for cell in found["cells"]}}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_project(folder / "data" / "tiny")
    project = yaml.safe_load(PROJECT)
    project["views"]["document"] = project["views"]["card"]
    teacher, student = project["teachers"]["base"], project["students"]["small"]
    del teacher["fresh"]
    teacher["training"] |= {"epochs": 1, "learning_rate": 2e-3, "may_collapse": True}
    student["training"] |= {"epochs": 1, "learning_rate": 1e-3, "may_collapse": True}
    projects = folder / "projects"
    projects.mkdir()
    project |= {"gates": {"retention_card": None, "teacher_over_priors": None}}
    (projects / "tiny.yaml").write_text(yaml.safe_dump(project, allow_unicode=True), encoding="utf-8")
    (folder / "list.yaml").write_text(yaml.safe_dump(INGREDIENTS, sort_keys=False), encoding="utf-8")
    toy_encoder(folder / "encoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(datasets.DATA_SETS, "tiny", DataSet("a tiny world", "tiny", "tiny", None))
        patch.setattr(ablation, "PROJECTS", projects)
        yield World(folder)


@pytest.fixture(scope="module")
def made(world):
    """The result of all, and what the command ended with."""
    return world(), world.cells()


@pytest.mark.slow
def test_each_ingredient_is_a_run_and_one_that_fails_is_named(made):
    code, cells = made
    assert code == 1
    assert {name: cell["status"] for name, cell in cells.items()} == {
        "base": "done",
        "layer_decay": "done",
        "unknown": "failed",
        "offers": "left out",
    }
    assert "1 problem in the config" in cells["unknown"]["error"] and cells["unknown"]["students"] == {}
    assert cells["offers"]["error"] == "needs documents"


@pytest.mark.slow
def test_a_difference_is_paired_to_the_base_runs_student_with_an_interval(made):
    _, cells = made
    student, base = (cells[name]["students"]["small"] for name in ("layer_decay", "base"))
    for metric in ("f1_macro", "log_loss"):
        found = student["difference"][metric]
        apart = student["quality"][metric]["value"] - base["quality"][metric]["value"]
        assert found["difference"] == pytest.approx(apart) and found["low"] <= found["difference"] <= found["high"]
    assert student["quality"] != base["quality"]
    assert cells["layer_decay"]["hours"] > 0 and student["steps"] == base["steps"] == 33


def test_a_run_that_a_gate_stopped_before_its_student_has_failed_with_the_gates_words(tmp_path):
    """Exit code 3 is a result where the student has figures, and none where a fit diverged before them."""
    base, run, cell = {"students": {"3L": {}}}, tmp_path / "run", Cell("fast", "a rate of 1", ["x=1"])
    write_json(outcome_file(run), {"exit": 3, "end": ["error: training diverged", "  found: NaN"]})
    write_sealed(run / "report.json", {**new_report(), "models": new_report()["models"][:2]})
    found = cell_of(cell, run, tmp_path / "base", base)
    assert (found["status"], found["error"], found["students"]) == ("failed", "training diverged", {})
    assert found["ingredient"] == "fast" and found["sets"] == ["x=1"]
    assert base_of(tmp_path / "nowhere", ["3L"])["error"] == "not run to its end"


@pytest.mark.slow
def test_what_an_ingredient_leaves_alone_is_not_made_again(made, world):
    stages = read_json(world.folder / "work" / "tiny" / "runs" / "layer_decay" / "run.json")["stages"]
    skipped = {stage["name"] for stage in stages if stage["status"] == "skipped"}
    assert {"records", "audit", "checkpoint base"} <= skipped
    assert not skipped & {"teach base@document", "train small"}
    base = read_json(world.folder / "work" / "tiny" / "runs" / "base" / "run.json")["stages"]
    assert "train small-gold" not in {stage["name"] for stage in base}


@pytest.mark.slow
def test_a_second_start_makes_nothing_again_and_keeps_the_others_of_the_result(made, world):
    run = world.folder / "work" / "tiny" / "runs"
    before = [
        (run / name / "students" / "small" / "manifest.json").stat().st_mtime_ns for name in ("base", "layer_decay")
    ]
    cells = world.cells()
    assert world("--ingredient", "layer_decay") == 0
    after = [
        (run / name / "students" / "small" / "manifest.json").stat().st_mtime_ns for name in ("base", "layer_decay")
    ]
    assert before == after
    assert list(world.cells()) == list(cells) and world.cells()["unknown"] == cells["unknown"]


@pytest.mark.slow
def test_figures_of_another_base_are_not_kept(made, world, tmp_path):
    document = read_json(world.results)
    document["sets"][0]["base"]["students"]["small"]["steps"] += 1
    other = World(world.folder)
    other.results = tmp_path / "ablation.json"
    write_json(other.results, document)
    assert world("--no-run", "--ingredient", "offers", "--results", str(tmp_path)) == 0
    assert list(other.cells()) == ["base", "offers"]


@pytest.mark.slow
def test_the_page_has_a_row_for_each_and_says_what_failed(made, world):
    result = read_json(world.results)
    page, short = markdown_ablation(result), markdown_changes(result)
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows[:4]] == ["base", "layer_decay", "unknown", "offers"]
    assert "failed: 1 problem in the config" in page and "left out: needs documents" in page and "falling rates" in page
    value = change(result, "tiny", "layer_decay", "f1_macro")
    assert value in page and value in short and "…" in value


@pytest.mark.slow
def test_publish_makes_the_page_and_words_may_name_its_figures(made, world, tmp_path):
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "README.md").touch()
    write_json(tmp_path / "benchmarks" / "results" / "ablation.json", read_json(world.results))
    words = dict.fromkeys(("title", "asked", "ran", "found", "follows"), "Ingredients")
    words["answer"] = "{change: tiny, layer_decay, log_loss}"
    summaries = yaml.safe_dump({"ablation": words})
    (tmp_path / "benchmarks" / "results" / "summaries.yaml").write_text(summaries, encoding="utf-8")
    assert publish.main(["--root", str(tmp_path)]) == 0
    page, overview = ((tmp_path / "docs" / name).read_text("utf-8") for name in ("results/ablation.md", "results.md"))
    assert "`layer_decay`" in page and "python -m benchmarks.ablation SET… --data DATA" in page
    assert change(read_json(world.results), "tiny", "layer_decay", "log_loss") in overview
    assert str(world.folder) not in page + overview


def test_a_run_that_is_cut_off_does_not_count_as_it_ended_before(world, monkeypatch):
    """Its report and how it ended are those of an earlier start until it has ended again."""
    bench = ablation.Bench(
        "tiny", world.folder / "cut", world.folder, world.folder / "encoder", ("small",), 1, world.folder
    )
    write_json(outcome_file(bench.run("base")), {"exit": 0, "end": []})
    monkeypatch.setattr(ablation, "run_logged", lambda *_: None)
    bench.make("base")
    assert not outcome_file(bench.run("base")).exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ingredient", "layer_decy"], "did you mean 'layer_decay'"),
        (["--student", "smal"], "did you mean 'small'"),
        (["--encoder", "gone"], "no such encoder"),
        (["--seeds", "0"], "at least one seed is needed"),
    ],
)
def test_mistakes_end_with_2(world, capsys, more, message):
    assert world(*more) == 2
    assert message in capsys.readouterr().err


def test_a_run_begins_with_the_finished_artifacts_of_the_base_alone(tmp_path):
    base, run = tmp_path / "base", tmp_path / "run"
    for name in ("records", "seed-1/students/small"):
        (base / name).mkdir(parents=True)
        (base / name / "rows.txt").write_text(name)
        write_manifest(base / name, {"step": name})
    for name in ("run.json", "report.json", "labels/base.partial/shard.txt"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text("{}")
    (tmp_path / "run.begun").mkdir()
    (tmp_path / "run.begun" / "half").touch()
    begin_with(base, run)
    found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    places = ("records", "seed-1/students/small")
    assert found == {f"{place}/{name}" for place in places for name in ("rows.txt", "manifest.json")}
    assert (run / "records" / "rows.txt").samefile(base / "records" / "rows.txt")
    (base / "records" / "later.txt").touch()
    begin_with(base, run)
    assert not (run / "records" / "later.txt").exists()


@pytest.mark.parametrize("name", read_ingredients())
def test_a_listed_ingredient_changes_what_is_made_of_every_project_that_has_what_it_needs(planted, name):
    """Its fields exist, and some step of the plan is another one."""
    ingredient, project = read_ingredients()[name], load_yaml(planted)
    assert ingredient.missing(project) == []
    setting = Setting("base", {"small": project["students"]["small"]}, {"small": 300})
    sets = ingredient.overrides(setting)
    students = ["small", *ingredient.further(setting)]
    plain = _steps(planted, [], ["small"])
    changed = _steps(planted, sets, students)
    assert plain != changed
    settings = _resolved(planted, sets, students)
    if name == "pool_then_gold":
        first, then = settings.students["small_pool"], settings.students["small"]
        assert first.layers == then.layers and (first.rows, then.rows) == (["pool"], ["train"])
        assert first.training.ceiling_steps == then.training.ceiling_steps == 150
        assert first.training.learning_rate == then.training.learning_rate == 5e-3


def _resolved(file, sets, students):
    """As the command gives them: with an encoder to start from, and students of no fixed length."""
    sets = ["teachers.base.fresh=null", "students.small.training.epochs=null", *sets]
    return resolve_settings(file, file.parent / "nowhere", students=students, checkpoint="base", sets=sets)


def _steps(file, sets, students):
    steps = (stage.step for stage in plan(Experiment(_resolved(file, sets, students))))
    return [(step.name, json.dumps(step.config, sort_keys=True, default=str), step.reads) for step in steps]


def test_a_run_on_other_rows_or_seeds_than_the_base_run_is_not_compared(tmp_path):
    base = make_run(tmp_path / "base", {A: A})
    assert differences(make_run(tmp_path / "same", {A: B}), A, base)["accuracy"]["difference"] != 0
    with pytest.raises(UserError, match="other test rows or seeds than the base run"):
        differences(make_run(tmp_path / "rows", {A: B}, made=changed), A, base)
    with pytest.raises(UserError, match=r"other test rows or seeds[\s\S]*seeds \[1\]"):
        differences(seeds_run(tmp_path / "one", (1,)), A, base)
    with pytest.raises(UserError, match=r"other test rows or seeds[\s\S]*seeds \[1, 2\]"):
        differences(seeds_run(tmp_path / "two", (1, 2)), A, tmp_path / "one")
