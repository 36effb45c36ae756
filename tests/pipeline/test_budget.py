"""A search for the best student within a latency, with a machine of known speed in place of processes."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks import bench
from benchmarks.subjects import Subject
from distill.cli.app import app
from distill.core.budget import Budget
from distill.core.errors import UserError
from distill.core.progress import Reporter
from distill.core.record_store import read_records
from distill.core.sealed import read_sealed
from distill.core.view import View
from distill.pipeline.budget import measuring
from distill.pipeline.budget import search as budget_search
from distill.pipeline.budget.outlook import budget_lines
from distill.pipeline.budget.search import best_within
from distill.pipeline.budget.shapes import Search, Shapes
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.report.budget_table import budget_sentences, candidates_sheet, trained_sheet
from distill.report.tables import rich_tables
from tests.pipeline.studies.study_project import resolver, write_project

ENCODER = [
    "teachers={base: {preset: base, checkpoint: null, fresh: {layers: 2, width: 16, heads: 2, vocabulary: 300}, "
    "training: {epochs: 1, learning_rate: 1e-3, batch_size: 32, precision: fp32, may_collapse: true}, export: false}}",
    "students={1L: {preset: 3L, layers: 1, training: {epochs: 1, learning_rate: 1e-3, batch_size: 32}}}",
    "export=[onnx]",
    "gates={teacher_over_priors: null, validation_rows: 20}",
    "controls={card_teacher: false, tfidf: false, bag_of_tokens: false}",
    "labels=document",
    "budget={ms: 2, layers: [1, 2, 9], max_tokens: [16, 8], threads: [1], train: 2, requests: 100, processes: 2}",
]


class Machine:
    """Takes a millisecond for each layer at 16 tokens, half of one for a bag; trained models so many times as much."""

    def __init__(self, *, slower: float = 1.0):
        self.asked, self.slower = [], slower

    def __call__(self, subject, rows, threads):
        student, _, tokens = subject.name.partition(".")[0].partition("-")
        assert View.load(subject.model_folder).config.max_tokens == int(tokens) and threads == 1
        assert (subject.export / "model.onnx").exists()
        self.asked.append((subject.name, {row["page.title"] for row in rows}))
        layers = 0.5 if student == "bag" else float(student.removesuffix("L"))
        base = layers * int(tokens) / 16 * (self.slower if "trained" in subject.export.parts else 1.0)
        total = [1e6 * base * factor for factor in (0.9, 1.0, 1.0, 1.1)]
        return [{"batches": {"1": {"total_ns": total}}, "tokens": [int(tokens)]}] * 2


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    project = write_project(tmp_path_factory.mktemp("project"))
    return resolver(project, tmp_path_factory.mktemp("runs") / "run", *ENCODER)


@pytest.fixture(scope="module")
def screened(settings):
    """The candidates as they are timed; what is exported is an empty file."""

    def written(target, model_folder, rows, folder, base=None, *, most_exact):
        assert most_exact
        (folder / target.model).write_bytes(b"")

    machine, search = Machine(), Search.of(settings([]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "build_untried", written)
        shapes = budget_search.prepared(search, Reporter())
        found = budget_search.screen(shapes, budget_search.steps_of(shapes.experiment, Reporter()), machine)
    return shapes, machine, found


def test_candidates_are_timed_as_they_are_served_on_training_rows(screened):
    shapes, machine, found = screened
    names = ["bag-8", "bag-16", "1L-8", "1L-16", "2L-8", "2L-16"]
    assert [name for name, _ in machine.asked] == [f"{name}.onnx" for name in names]
    train = {record.fields["page.title"] for record in read_records(shapes.experiment.run / "records", "train")}
    assert all(rows <= train and len(rows) == 100 for _, rows in machine.asked)
    times = {one.student: figures["p50"]["value"] for one, figures in found.timed.items()}
    assert times == pytest.approx({"bag-8": 0.25, "bag-16": 0.5, "1L-8": 0.5, "1L-16": 1, "2L-8": 1, "2L-16": 2})
    assert [one.student for one in found.fitting("p99", 2.0)] == names[:-1]
    assert not (shapes.search.settings.run / "teachers").exists()


def test_a_second_start_times_nothing_again_and_a_new_length_alone(screened, settings):
    shapes, machine, _ = screened
    before = len(machine.asked)
    more = Shapes(Search.of(settings(["budget.max_tokens=[16, 8, 12]", "budget.bag=false", "budget.layers=[1]"])))
    found = budget_search.screen(more, budget_search.steps_of(more.experiment, Reporter()), machine)
    assert [name for name, _ in machine.asked[before:]] == ["1L-12.onnx"] and len(found.timed) == 3
    lines = budget_lines(settings(["budget.max_tokens=[16, 12, 10]", "budget.bag=false", "budget.layers=[1]"]))
    assert [line.split()[0] for line in lines[1:4]] == ["to", "timed", "timed"]
    assert "budget of 2 ms at p99: 3 candidates" in lines[0]


def test_what_is_beyond_the_bound_spares_what_does_more(screened, settings):
    shapes = Shapes(Search.of(settings(["budget.ms=0.4"])))
    machine = screened[1]
    found = budget_search.screen(shapes, budget_search.steps_of(shapes.experiment, Reporter()), machine)
    assert {one.student: other.student for one, other in found.ruled_out.items()} == {
        "1L-16": "1L-8",
        "2L-8": "1L-8",
        "2L-16": "1L-8",
    }
    with pytest.raises(UserError, match="no candidate stays within 0.1 ms at p99"):
        best_within(settings(["budget.ms=0.1"]), Reporter(), machine)


def test_either_percentile_may_be_bound(screened):
    found = screened[2]
    assert "2L-16" in [one.student for one in found.fitting("p50", 2.0)]
    assert "2L-16" not in [one.student for one in found.fitting("p99", 2.0)]


def test_processes_and_requests_are_those_of_the_budget(monkeypatch):
    started = []

    def run_process(subject, rows, config, threads, more=None):
        started.append((len(rows), threads))
        return {"batches": {"1": {"total_ns": [1e6] * len(rows), "tokenise_ns": [0] * len(rows)}}, "tokens": [3]}

    monkeypatch.setattr(bench, "run_process", run_process)
    subject = Subject("3L.onnx", "card", "onnxruntime", "fp32", Path("model"), "student", export=Path("nowhere"))
    measure = measuring.in_processes(Budget(requests=120, processes=4))
    assert len(measure(subject, [{"title": "a"}] * 50, 2)) == 4
    assert started == [(120, 2)] * 4


def test_widths_have_weights_of_their_own_and_layers_that_are_probed_are_spread_while_they_are_timed(settings):
    search = Search.of(settings(["budget.widths=[8]", "budget.threads=[2, 1]", "students.1L.keep=probe"]))
    shapes = Shapes(search)
    wide = {one.name: entry for one, entry in shapes.entries.items() if one.line == "8 wide"}
    assert list(wide) == ["1L-w8", "2L-w8", "9L-w8"] and wide["2L-w8"].fresh.layers == 2
    assert search.threads == [1, 2] and shapes.experiment.settings.students["1L"].keep == "spread"
    assert (
        shapes.trained([one for one in shapes.candidates() if one.student == "1L-8"]).students["1L-8"].keep == "probe"
    )


def test_by_default_the_view_at_three_lengths_one_thread_and_the_projects(settings):
    search = Search.of(settings(["views.card.max_tokens=64", "budget.max_tokens=[]", "budget.threads=[]", "threads=2"]))
    assert search.lengths == [64, 32, 16] and search.threads == [1, 2]


@pytest.mark.parametrize(("own", "lengths"), [(16, [16, 8]), (12, [12]), (6, [6])])
def test_by_default_no_length_is_tried_that_special_tokens_alone_could_fill(settings, own, lengths):
    asked = [f"views.card.max_tokens={own}", "budget.max_tokens=[]"]
    assert Search.of(settings(asked)).lengths == lengths


def test_a_length_without_room_beside_the_special_tokens_is_refused_before_a_candidate_is_made(screened, settings):
    search = Search.of(settings(["budget.max_tokens=[16, 4]"]))
    with pytest.raises(UserError, match="max_tokens 4 leaves no room") as refused:
        budget_search.prepared(search, Reporter())
    assert str(refused.value.where).endswith("budget.max_tokens")


@pytest.mark.parametrize("named", ["1L@card", "random"])
def test_a_baseline_of_the_project_does_not_end_the_run_of_the_trained_students(settings, named):
    shapes = Shapes(Search.of(settings([f"quality.baseline={named}"])))
    trained = Experiment(shapes.trained(shapes.candidates()[:1]))
    assert "evaluate" in [stage.step.name for stage in plan(trained)]


def test_what_cannot_be_asked_is_named(settings, tmp_path):
    with pytest.raises(UserError, match="no bound is given"):
        Search.of(settings(["budget.ms=null"]))
    with pytest.raises(UserError, match="no student of the family encoder"):
        Search.of(replace(settings([]), students={}))
    with pytest.raises(UserError, match=r"budget\.percentile"):
        settings(["budget.percentile=p95"])
    for sets, told in (
        (
            ["data.valid=null", "data.split.valid=0"],
            "bench --latency-budget choose on validation rows, and there are n",
        ),
        (["quality.test=[test, valid]"], "choose on validation rows, and these are part of the test"),
    ):
        for find in (lambda one: best_within(one, Reporter(), None), budget_lines):
            with pytest.raises(UserError, match=told):
                find(replace(settings(sets), run=tmp_path / "run"))
        assert not (tmp_path / "run").exists()
    refused = CliRunner().invoke(app, ["bench", "--dry-run", "--config", settings([]).where])
    assert isinstance(refused.exception, UserError) and "--latency-budget" in str(refused.exception)


def test_the_tables_fit_80_columns_and_say_what_holds():
    figure = {"value": 0.8, "low": 0.78, "high": 0.82}
    row = {
        "name": "3L-32@card-32.onnx-int8",
        "candidate": "3L-32.onnx-int8, 1 thread",
        "held_out": {"p99": {"value": 1.9, "low": 1.8, "high": 2.0}},
        "holds": True,
        "front": True,
        "valid": {"f1_macro": figure},
        "test": {"f1_macro": figure},
        "over": {},
    }
    late = {**row, "name": "bag-32@card-32.onnx", "holds": False, "held_out": {"p99": {"value": 2.5}}, "front": False}
    timed = {"name": "3L-32.onnx-int8, 1 thread", "p99": figure, "fits": True, "why": "trained: the deepest"}
    found = {
        "metric": "f1_macro",
        "ms": 2.0,
        "percentile": "p99",
        "processes": 3,
        "most_trained": 3,
        "best": row["name"],
    }
    found |= {"trained": [row, late], "candidates": [timed, {"name": "6L-32.onnx, 1 thread", "why": "over"}]}
    said = budget_sentences(found)
    assert said[0].startswith("Best within 2 ms (p99): 3L-32.onnx-int8, 1 thread, 1.90 (1.80–2.00) ms")
    assert any("Over 110% of the bound" in line and "bag-32@card-32.onnx 2.50" in line for line in said)
    console = Console(width=80, file=StringIO())
    for sheet in (trained_sheet(found), candidates_sheet(found)):
        console.print(rich_tables(sheet, console.width))
    printed = console.file.getvalue()
    assert max(map(len, printed.splitlines())) <= 80 and "3L-32" in printed
    none = {**found, "best": None, "trained": [late]}
    assert budget_sentences(none)[0].startswith("No trained student stays within 110% of 2 ms")


@pytest.mark.slow
def test_the_best_that_holds_on_other_requests_is_named(settings):
    machine = Machine()
    found = best_within(settings([]), Reporter(), machine).content
    told = {row["student"]: row for row in found["candidates"]}
    assert not told["2L-16"]["fits"] and told["2L-8"]["why"].startswith("not trained: 2 students")
    trained = {row["name"]: row for row in found["trained"]}
    assert set(trained) == {"1L-16@card-16.onnx", "bag-16@card-16.onnx"} and found["best"] in trained
    assert all(row["holds"] and row["valid"]["f1_macro"]["value"] > 0 and row["test"] for row in trained.values())
    run = settings([]).run
    assert read_sealed(run / "budget.json")["best"] == found["best"]
    assert "The best student within a latency" in (run / "budget.html").read_text(encoding="utf-8")
    slow = best_within(settings(["budget.requests=101"]), Reporter(), Machine(slower=4.0)).content
    assert slow["best"] == "bag-16@card-16.onnx"
