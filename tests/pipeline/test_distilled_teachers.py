"""Teachers of every objective in one run, among them one that learns another one's soft labels; and what is refused."""

from __future__ import annotations

import json

import pytest

from distill.core.errors import UserError
from distill.core.progress import Reporter
from distill.core.record_store import read_records
from distill.core.soft_labels import LabelStore
from distill.families.family import family_of
from distill.pipeline.experiment import Experiment
from distill.pipeline.figures import report_models
from distill.pipeline.plan import plan, stages_until
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from export.config import load_target
from export.evidence import Sample
from export.parity import Original, measure
from export.targets.base import Source
from tests.cli.planted_project import write_project

SHAPE = "checkpoint: null, fresh: {layers: 3, width: 16, heads: 2, vocabulary: 150}, labelling: {precision: fp32}"
FAST = "epochs: 3, learning_rate: 1e-2, batch_size: 8, dropout: 0, precision: fp32, warmup: 1, may_collapse: true"
LEARNERS = {
    "mse": f"{{preset: msetarget, {SHAPE}, weight: 0, training: {{{FAST}}}}}",
    "opt": f"{{preset: msetarget_opt_borders, {SHAPE}, weight: 0, training: {{{FAST}}}}}",
    "ce": f"{{preset: distilce, {SHAPE}, weight: 0, learns_from: [one], training: {{{FAST}}}}}",
}
ONE = f"{{preset: onetarget, {SHAPE}, training: {{{FAST}}}}}"
QUICK = "max_steps: 3, learning_rate: 5e-3, batch_size: 8, dropout: 0, precision: fp32, may_collapse: true"
OBJECTIVES = {"ce": ", objective: one_vs_rest", "mse": ", objective: regression"}
ASKED = [
    "task={labels: [мимо, рядом, точно], ordered: true, positive: точно}",
    f"teachers.one={ONE}",
    *(f"teachers.{name}={entry}" for name, entry in LEARNERS.items()),
    "gates={retention_card: null, teacher_over_priors: null}",
    "controls={gold_twins: false, card_teacher: false, tfidf: false}",
]
HOW = {name: f"training: {{{QUICK}{OBJECTIVES.get(name, '')}}}" for name in ("one", *LEARNERS)}
STUDENTS = [
    f"students.of_{name}={{preset: 3L, source: {name}, learns_from: [{name}], {how}}}" for name, how in HOW.items()
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The planted project without a teacher and student of its own."""
    file = write_project(tmp_path_factory.mktemp("objectives"), {"train": 60, "valid": 60, "test": 40, "pool": 20})
    before, _, rest = file.read_text(encoding="utf-8").partition("teachers:")
    file.write_text(f"{before}export:{rest.partition('export:')[2]}", encoding="utf-8")
    return file


def resolved(project, *sets):
    return resolve_settings(project, project.parent / "run", sets=[*ASKED, *sets])


def names(project, *sets, until="report"):
    return [stage.step.name for stage in stages_until(list(plan(Experiment(resolved(project, *sets)))), until)]


def test_labels_that_a_teacher_learns_are_made_before_it_and_once(project):
    made = names(project, *STUDENTS)
    assert made.index("teach one@document") < made.index("label one") < made.index("teach ce@document")
    assert made.index("teach ce@document") < made.index("choose labels") < made.index("label ce")
    assert len(made) == len(set(made))
    assert "label one" in names(project, *STUDENTS, until="teach")


def test_a_teacher_reads_training_rows_unless_it_names_others_and_never_the_selection(project):
    steps = {
        rows: next(
            stage.step
            for stage in plan(Experiment(resolved(project, *STUDENTS, f"teachers.ce.rows={rows}", "select.rows=10")))
            if stage.step.name == "teach ce@document"
        )
        for rows in ("train", "all")
    }
    assert {rows: step.reads[0].files for rows, step in steps.items()} == {
        "train": ("valid.parquet", "train.parquet"),
        "all": ("valid.parquet", "train.parquet", "pool.urls.parquet"),
    }
    for step in steps.values():
        assert "labels/one" in step.upstream and "selection" not in step.upstream
    assert "learns_from" not in steps["all"].config and steps["all"].config["alpha"] == 0


@pytest.mark.parametrize(
    ("sets", "parts"),
    [
        (["teachers.ce.learns_from=[oen]"], ["teachers.ce.learns_from: no such teacher 'oen', did you mean 'one'?"]),
        (["teachers.ce.learns_from=[ce]"], ["teachers.ce.learns_from: no such teacher 'ce', known: one, mse, opt"]),
        (["teachers.ce.learns_from=null"], ["teachers.ce.learns_from: temperature, alpha say how soft labels"]),
        (["teachers.one.learns_from=[ce]"], ["waits for itself", "members, learns_from or starts_from"]),
        (["teachers.ce.learns_from=[]"], ["teachers.ce.learns_from"]),
        (["teachers.ce.rows=urlz"], ["teachers.ce.rows: no such pool source 'urlz', did you mean 'urls'?"]),
        (["teachers.ce.rows={train: 2}"], ["teachers.ce.rows: a row has its soft labels once"]),
        (["teachers.ce.phases={a: {}, b: {}}"], ["teachers.ce.phases: each phase learns gold of its own"]),
        (["teachers.ce.slices=[стройка]"], ["teachers.ce.slices: soft labels are learnt on the rows that"]),
        (["teachers.ce.cross_fit=2"], ["teachers.ce.cross_fit: whoever made the labels"]),
        (["teachers.ce.labels=x.jsonl"], ["teachers.ce.learns_from: its labels were made elsewhere"]),
        (["teachers.ce.finished=x"], ["teachers.ce.learns_from: a finished teacher is not trained"]),
        (["teachers.ce.losses={gold: {}}"], ["teachers.ce.losses: temperature and alpha would say it a second time"]),
        (
            ["teachers.e={preset: ensemble, members: {one: 1, mse: 1}, weight: 0, learns_from: [one]}"],
            ["teachers.e.learns_from: of the family ensemble nothing is fitted here"],
        ),
        (
            ["teachers.e={preset: ensemble, members: {one: 1, of_one: 1}, weight: 0}", "teachers.ce.learns_from=[e]"],
            ["teachers.ce.learns_from: 'of_one' is a student"],
        ),
    ],
)
def test_mistakes_are_named(project, sets, parts):
    with pytest.raises(UserError) as caught:
        resolved(project, *STUDENTS, *sets)
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert caught.value.exit_code == 2


def test_labels_made_elsewhere_are_learnt_as_any(project):
    far = ["teachers.far={preset: base, labels: x.jsonl, weight: 0}", "teachers.ce.learns_from=[far]"]
    made = names(project, *far)
    assert made.index("label far") < made.index("teach ce@document")
    for sets, partial in (([], False), (["teachers.ce.allow_missing=true"], True)):
        experiment = Experiment(resolved(project, *far, *sets))
        assert experiment.may_miss_rows(experiment.models["far"]) is partial


def test_all_objectives_teach_side_by_side_and_what_leaves_agrees_with_pytorch(project, tmp_path):
    """Each labels for a student of three layers."""
    settings = resolved(project, *STUDENTS)
    execute_run(settings, Reporter(), "train")
    run = settings.run
    for name in ("one", *LEARNERS):
        student = run / "students" / f"of_{name}"
        assert LabelStore(run / "labels" / name).width == 3 and family_of(student).facts(student).layers == 3
    histories = {name: run / "teachers" / name / "training_history.json" for name in LEARNERS}
    told = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in histories.items()}
    assert told["mse"]["objective"]["borders"] == [0.5, 1.5] and told["opt"]["objective"]["chosen_by"] == "f1"
    of_ce = json.loads((run / "students" / "of_ce" / "training_history.json").read_text(encoding="utf-8"))
    assert of_ce["objective"]["name"] == "one_vs_rest"
    assert "objective" not in told["ce"]
    kept_in = {one.name: one.kept_in for one in report_models(Experiment(settings)) if one.role != "teacher"}
    of_one_class = {"of_ce@card", "of_ce@card.onnx"}
    assert of_one_class < kept_in.keys()
    assert kept_in == {name: "f1_positive" if name in of_one_class else "f1_macro" for name in kept_in}
    rows, target = [row.fields for row in read_records(run / "records", "valid")], load_target("onnx")
    original = Original(run / "teachers" / "opt", Sample(rows), 20)
    target.build(Source(run / "teachers" / "opt", None, original.changes_of), tmp_path)
    assert measure(original, target.open(tmp_path), target)["max_abs_diff"] < 1e-4
