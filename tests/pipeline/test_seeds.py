"""Several seeds in one command: which run goes how far, what a failed gate costs, and what comes out together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from distill.core.current import Current
from distill.core.errors import GateFailed, UserError
from distill.core.files import read_json, write_json
from distill.core.lock import run_lock
from distill.core.predictions import read_predictions
from distill.core.progress import Reporter
from distill.core.sealed import write_sealed
from distill.core.steps import fingerprint_of
from distill.pipeline import seeds as several
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan, stages_until
from distill.pipeline.seeds import all_stages, execute_seeds, first_run, seed_runs, stages_of
from distill.pipeline.settings import resolve_settings
from tests.core.step_fixtures import left
from tests.pipeline.seeds_project import write_project
from tests.tiny_run import distill

GATE = {"required": 0.9, "measured": 0.5}
REPORT = {
    "task": {"rows": {}},
    "models": [],
    "choice": None,
    "training_history": [],
    "audit": {"rows": {}, "leak_rows": 0},
    "latency": [],
    "parity": [],
    "environment": {},
}


@pytest.fixture
def settings(tmp_path):
    return resolve_settings(write_project(tmp_path), tmp_path / "run", sets=["seeds=[2, 5]"])


EMPTY = {"tests": [], "models": [], "comparisons": []}


class Anything(dict):
    """A digest for whatever is asked."""

    def __missing__(self, key):
        return "0"


class Runs:
    """Stands for `execute`: notes each call, writes the seed's report, and stops where it is told to."""

    def __init__(self, stops=(), fails=()):
        self.calls, self.stops, self.fails = [], stops, fails

    def __call__(self, settings, console, until, on_body=None):
        seed = settings.project.weights_seed
        self.calls.append((seed, until))
        gate = {"name": "parity small.onnx", "passed": seed not in self.fails, **GATE}
        report = {**REPORT, "gates": [gate]}
        write_sealed(settings.run / "report.json", report)
        write_json(
            settings.run / "run.json", {"config": {}, "stages": [{"name": "audit", "status": "done", "seconds": 1.0}]}
        )
        if seed in self.stops:
            raise GateFailed("training collapsed", found="learning rate 1.0", do="lower it")
        if until == "report" and seed in self.fails:
            raise GateFailed("1 gate failed, no bundle was made")
        return report


def work(settings, monkeypatch, until="report", **behaviour):
    """`execute_seeds` over stand-ins; returns the calls and the seeds that were evaluated together."""
    runs, evaluated = Runs(**behaviour), []

    def current(experiments, _steps):
        made = (settings.run / "evaluation" / "evaluation.json").exists()
        return Current(settings.run, {"evaluation"} if made else set())

    class FakeSteps:
        stages = ()

        def __init__(self, *_):
            pass

        def run(self, experiments):
            evaluated.extend(experiments)
            left(settings.run / "evaluation" / "evaluation.json", {"seeds": list(experiments), **EMPTY})

    monkeypatch.setattr(several, "execute", runs)
    monkeypatch.setattr(several, "Steps", FakeSteps)
    monkeypatch.setattr(several, "current_of_seeds", current)
    monkeypatch.setattr(several, "evaluate_seeds_step", lambda experiments: experiments)
    try:
        execute_seeds(settings, Reporter(), until)
    finally:
        work.seen = (runs.calls, evaluated)
    return work.seen


def test_seeds_move_the_weights_and_leave_the_rows(settings):
    runs = seed_runs(settings)
    assert [run.run.name for run in runs] == ["seed-2", "seed-5"]
    assert {run.project.seed for run in runs} == {1}
    assert [run.project.weights_seed for run in runs] == [2, 5]
    prints = [{s.step.name: fingerprint_of(s.step, Anything()) for s in plan(Experiment(run))} for run in runs]
    assert prints[0]["records"] == prints[1]["records"] and prints[0]["audit"] == prints[1]["audit"]
    twins = ("train small-gold", "train small-gold-steps")
    for name in ("checkpoint new", "teach new@document", "teach new@card", "train small", *twins):
        assert prints[0][name] != prints[1][name], name


def test_without_seeds_the_run_is_the_only_one(settings, tmp_path):
    plain = resolve_settings(tmp_path / "project.yaml", tmp_path / "run")
    assert seed_runs(plain) == [plain] and first_run(plain) is plain


def test_only_the_first_seed_is_timed_and_bundled(settings):
    first, second = ([stage.verb for stage in stages_of(run, settings)] for run in seed_runs(settings))
    assert {"bench", "bundle"} <= set(first) and not {"bench", "bundle"} & set(second)
    assert second[-1] == "evaluate"


def test_the_other_seeds_export_only_what_is_evaluated(settings):
    first, second = (
        {stage.step.artifact for stage in stages_of(run, settings) if stage.verb == "export"}
        for run in seed_runs(settings)
    )
    assert first == {"export/new/onnx", "export/small/onnx"}
    assert second == {"export/small/onnx"}


def test_a_plan_up_to_the_exports_makes_all_of_them(settings):
    stages = list(plan(Experiment(first_run(settings))))
    everything = [stage.step.artifact for stage in stages if stage.verb == "export"]
    assert [s.step.artifact for s in stages_until(stages, "export") if s.verb == "export"] == everything
    assert [s.step.artifact for s in stages_until(stages, "bench") if s.verb == "export"] == everything


@pytest.mark.parametrize(
    ("until", "calls", "evaluated"),
    [
        ("audit", [(2, "audit")], []),
        ("train", [(2, "train"), (5, "train")], []),
        ("evaluate", [(2, "evaluate"), (5, "evaluate")], [2, 5]),
        ("bench", [(2, "evaluate"), (5, "evaluate"), (2, "bench")], [2, 5]),
        ("report", [(2, "evaluate"), (5, "evaluate"), (2, "report")], [2, 5]),
    ],
)
def test_how_far_each_seed_goes(settings, monkeypatch, until, calls, evaluated):
    assert work(settings, monkeypatch, until) == (calls, evaluated)


@pytest.mark.parametrize("seed", [2, 5])
def test_a_failed_gate_leaves_the_other_seeds_finished_and_is_named_with_its_seed(settings, monkeypatch, seed):
    with pytest.raises(GateFailed, match=rf"seed {seed}: parity small\.onnx: required 0\.9, measured 0\.5") as caught:
        work(settings, monkeypatch, fails=[seed])
    assert str(caught.value).count("parity") == 1
    assert work.seen == ([(2, "evaluate"), (5, "evaluate"), (2, "report")], [2, 5])
    report = read_json(settings.run / "report.json")
    assert report["seeds"] == [2, 5] and [g["name"] for g in report["gates"] if not g["passed"]] == [
        f"seed {seed}: parity small.onnx"
    ]


def test_evaluate_asks_no_gate(settings, monkeypatch):
    assert work(settings, monkeypatch, "evaluate", fails=[5]) == ([(2, "evaluate"), (5, "evaluate")], [2, 5])


@pytest.mark.parametrize(("seed", "calls"), [(2, []), (5, [(2, "report")])])
def test_a_seed_that_collapsed_is_left_out_and_named(settings, monkeypatch, seed, calls):
    with pytest.raises(GateFailed, match=rf"seed {seed}: training collapsed \(learning rate 1\.0\)"):
        work(settings, monkeypatch, stops=[seed])
    assert work.seen == ([(2, "evaluate"), (5, "evaluate"), *calls], [other for other in (2, 5) if other != seed])
    report = read_json(settings.run / "report.json")
    assert report["stopped_seeds"] == [seed] and seed not in report["seeds"]
    assert report["outcome"]["state"] == "stopped" and f"seed {seed}: training collapsed" in report["outcome"]["why"]
    assert f"left out: seed {seed}" in (settings.run / "report.html").read_text(encoding="utf-8")


def test_when_every_seed_stops_there_is_a_report_without_models(settings, monkeypatch):
    with pytest.raises(GateFailed, match=r"seed 2: training collapsed[\s\S]*seed 5: training collapsed"):
        work(settings, monkeypatch, stops=[2, 5])
    assert read_json(settings.run / "report.json")["models"] == []


def test_a_mistake_in_the_input_is_on_the_page_of_all_seeds(settings, monkeypatch):
    def wrong(settings, console, until, on_body):
        write_sealed(settings.run / "report.json", {**REPORT, "gates": []})
        raise UserError("no validation row has the positive class", found="da: 0 of 9 rows")

    work(settings, monkeypatch)
    monkeypatch.setattr(several, "execute", wrong)
    with pytest.raises(UserError):
        execute_seeds(settings, Reporter(), "report")
    assert read_json(settings.run / "report.json")["outcome"]["state"] == "stopped"
    page = (settings.run / "report.html").read_text(encoding="utf-8")
    assert 'class="failed"' in page and "no validation row has the positive class (da: 0 of 9 rows)" in page


def test_status_lists_the_stages_of_every_seed(settings, monkeypatch):
    work(settings, monkeypatch)
    found = all_stages(settings.run, read_json(settings.run / "run.json"))
    assert [stage["name"] for stage in found] == ["seed 2: audit", "seed 5: audit"]


def test_a_stage_that_runs_where_nobody_works_was_killed(settings):
    state = {"config": {"seeds": [2]}, "stages": [{"name": "a", "status": "done", "seconds": 1.0}]}
    running = {"config": {}, "stages": [{"name": "teach", "status": "running", "seconds": 0.0}]}
    write_json(settings.run / "seed-2" / "run.json", running)
    assert [stage["status"] for stage in all_stages(settings.run, state)] == ["killed", "done"]
    with run_lock(settings.run / "seed-2"):
        assert [stage["status"] for stage in all_stages(settings.run, state)] == ["running", "done"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of a project with an old and a new teacher, up to the evaluation."""
    folder = tmp_path_factory.mktemp("several")
    done = distill("evaluate", *arguments(write_project(folder)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mean of 2 seeds (1, 2)" in done.stdout
    return folder / "run"


def arguments(project: Path) -> list[str]:
    return [f"--config={project}", f"--out={project.parent / 'run'}", "--set=seeds=[1,2]", "--set=export=[]"]


def test_two_seeds_read_the_same_rows_and_their_mean_is_reported(run):
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["seeds"] == [1, 2] and report["latency"] == [] and report["task"]["rows"]["test.unseen"] == 80
    for model in (model for model in report["models"] if model["name"] not in ("majority", "random")):
        parts = [read_predictions(run / f"seed-{s}/predictions/{model['name']}/test.unseen.parquet") for s in (1, 2)]
        assert parts[0].ids == parts[1].ids
        assert np.array_equal(parts[0].logits, parts[1].logits) == (model["name"] == "tfidf@card")
        accuracies = [(part.logits.argmax(1) == part.target.argmax(1)).mean() for part in parts]
        assert model["quality"]["accuracy"]["value"] == pytest.approx(np.mean(accuracies))
        assert model["quality"]["accuracy"]["spread"] == pytest.approx([min(accuracies), max(accuracies)])
    pools = [(run / f"seed-{s}/records/pool.urls.parquet").read_bytes() for s in (1, 2)]
    assert pools[0] == pools[1]


def test_a_teacher_of_weight_0_is_measured_but_never_labels(run):
    names = {model["name"] for model in json.loads((run / "report.json").read_text(encoding="utf-8"))["models"]}
    assert {"new@document", "old@document", "small@card"} <= names and "ensemble@document" not in names
    stores = {"new@document": "new", "new@card": "new@card"}
    for seed in (1, 2):
        choice = read_json(run / f"seed-{seed}" / "choice" / "choice.json")
        labelled = {path.name for path in (run / f"seed-{seed}" / "labels").iterdir()}
        assert labelled == {stores[model] for model in choice["teachers"]}


def test_the_report_says_what_each_seed_took(run):
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    taken = {str(s): read_json(run / f"seed-{s}" / "choice" / "choice.json")["taken"] for s in (1, 2)}
    assert report["choice"]["taken_by_seed"] == taken
    assert {(fit["seed"], fit["model"]) for fit in report["training_history"]} >= {
        (1, "small-gold@card"),
        (2, "small@card"),
    }


def test_the_old_teacher_knows_the_old_slice_only(run):
    done = distill("compare", run, "old@document", "new@document", "--by", "slice", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert list(rows) == ["новое", "старое", None] and rows[None]["rows"] == 80
    # In both seeds; two are too few for an interval over seeds, which is as wide as a difference can be.
    assert rows["новое"]["spread"][1] < 0 and rows["новое"]["a"] < 0.5 < rows["старое"]["a"]
    assert -1 <= rows["новое"]["low"] < rows["новое"]["difference"]
    assert "старое" in done.stderr and "mean of seeds 1, 2" in done.stderr.replace("\n", " ")
    wrong = distill("compare", run, "old@document", "new@document", "--by", "page")
    assert wrong.returncode == 2 and "known: slice" in wrong.stderr


@pytest.mark.slow
def test_second_start_does_nothing_and_the_verbs_read_the_outer_folder(run):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.safetensors")}
    done = distill("evaluate", *arguments(run.parent / "project.yaml"))
    assert done.returncode == 0, done.stderr
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*.safetensors")}
    stages = json.loads(distill("status", run, "--json").stdout)
    assert {stage["status"] for stage in stages} == {"skipped"}
    assert {"seed 2: teach old@document", "evaluate all seeds"} <= {stage["name"] for stage in stages}
    assert "mean of 2 seeds" in distill("report", run).stdout
    assert "steps of seed-2" in distill("--dry-run", *arguments(run.parent / "project.yaml")).stdout


def test_mistakes_end_with_2(run, tmp_path):
    project = str(run.parent / "project.yaml")
    for value, part in (("[1,1]", "duplicate"), ("[]", "at least 1"), ("[-1]", "seeds.0")):
        done = distill("audit", f"--config={project}", f"--out={tmp_path}", f"--set=seeds={value}")
        assert done.returncode == 2 and part in done.stderr and "Traceback" not in done.stderr
    copy = shutil.copytree(run / "seed-1", tmp_path / "copy")
    slices = "--set=teachers.old.slices=[старые]"
    done = distill("teach", f"--config={project}", f"--out={copy}", slices)
    assert done.returncode == 2 and "teachers.old.slices" in done.stderr
    assert "did you mean 'старое'" in done.stderr and "known: новое, старое" in done.stderr
