"""Teachers that are fitted in phases or on mixtures of rows, each by its preset, in one run."""

from __future__ import annotations

import math
import re

import pytest

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.presets import resolve
from distill.core.progress import Reporter, reporting
from distill.core.steps import Steps
from distill.models.encoder import layer_stack, load_classifier
from distill.pipeline.estimate import _shortened
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.preflight import require_layers
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from distill.report.training import epochs_sheet
from distill.training.learnt_rows import mixed_rows
from teachers.config import TeacherConfig
from tests.cli.planted_project import read_rows, write_project, write_rows
from tests.training.toy import toy_encoder

FAST = "learning_rate: 1e-2, batch_size: 8, dropout: 0, precision: fp32, warmup: 0, may_collapse: true"
TEACHERS = {
    "old_then_new": "phases: {old: {learning_rate: 1e-3, final_learning_rate: 1e-4}, new: {learning_rate: 1e-2}}",
    "full_then_truncated": "phases: {full: {epochs: 1}, truncated: {layers: 1, epochs: 1}}",
    "base_trunc": "layers: 1",
    "with_rules": "rows: {rules: 1.5}",
    "with_model_made": "weight: 0",
    "yes_no_bert": "weight: 0",
    "yes_no_roberta": "weight: 0",
    "tiny": "weight: 0",
    "mse_old_then_new": "preset: old_then_new, weight: 0",
    "words": "rows: {train: 1, rules: 2}",
}
# Of these two recipes only what random weights of width 16 and 60 rows need otherwise.
ANSWERS = "learning_rate: 1e-2, precision: fp32, warmup: 3, may_collapse: true, epochs: 2"
OFF = "controls={card_teacher: false, tfidf: false, random: false}"


def sets(encoder, *more):
    own = {name: f"teachers.{name}={{{said}}}" for name, said in TEACHERS.items()}
    said = {name: ANSWERS if name.startswith("yes") else f"{FAST}, epochs: 1" for name in TEACHERS if name != "words"}
    said["mse_old_then_new"] += ", objective: {regression: {borders: f1}}"
    fits = [f"teachers.{name}.training={{{values}}}" for name, values in said.items()]
    starts = [f"teachers.{name}.checkpoint={encoder}" for name in TEACHERS if name != "words"]
    extra = "data.extra={old: old.jsonl, rules: rules.jsonl, model_made: rules.jsonl}"
    return [*own.values(), *fits, *starts, extra, OFF, "task.ordered=true", "task.positive=точно", *more]


def resolved(folder, *more, run="run"):
    return resolve_settings(
        folder / "project.yaml", folder / run, teachers=[*TEACHERS], sets=sets(folder / "encoder", *more)
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The planted project, with old labels and rows that rules made."""
    folder = tmp_path_factory.mktemp("phases")
    write_project(folder, {"train": 60, "valid": 54, "test": 36, "pool": 9, "old": 30, "rules": 11})
    toy_encoder(folder / "encoder")
    text = (folder / "project.yaml").read_text(encoding="utf-8")
    alone = re.sub(r"students:\n(  .*\n)+", "students: {}\n", text)
    (folder / "project.yaml").write_text(alone, encoding="utf-8")
    old, test, valid, train = (read_rows(folder, split) for split in ("old", "test", "valid", "train"))
    same_id = {**old[0], "id": test[3]["id"]}
    relabelled = {**train[0], "label": "точно"}
    copies = [{**test[1], "id": "copied"}, {**valid[1], "id": "copied too"}]
    bad = {"id": "bad", "product": {"title": "без метки"}, "page": {"title": "x", "body": "y"}}
    write_rows(folder, "old", [*old[1:], same_id, relabelled, *copies, bad])
    return folder


@pytest.fixture(scope="module")
def made(project):
    """The run of all these teachers, and its report."""
    settings, watch = resolved(project), Watch()
    with reporting(watch):
        execute_run(settings, watch, "evaluate")
    assert set(watch.made.values()) == {"done"}
    return settings, read_json(settings.run / "report.json")


class Watch(Reporter):
    """Notes each step and what became of it."""

    def __init__(self):
        self.made = {}

    def step_ends(self, name, status, seconds):
        self.made[name] = status


def history(settings, name):
    return read_json(settings.run / "teachers" / name / "training_history.json")


def depth(settings, name):
    return len(layer_stack(load_classifier(settings.run / "teachers" / name)))


def test_rows_that_are_judged_never_train_and_each_dropped_one_is_counted(made):
    _, report = made
    account = report["audit"]["rows"]["by_source"]["extra.old"]
    assert account["dropped"] == {"in_test": 2, "in_valid": 1, "missing_label": 1}
    assert account["kept"] == 30 and report["audit"]["leak_rows"] == 0


def test_each_phase_is_fitted_on_its_rows_at_its_rates_and_stands_in_the_report(made):
    settings, report = made
    # 30 old rows once, 60 training rows twice, in batches of 8.
    assert [history(settings, f"old_then_new{end}")["steps"] for end in ("-old", "")] == [4, 2 * 8]
    fits = [fit["model"] for fit in report["training_history"]]
    assert {"old_then_new-old@document", "old_then_new@document"} <= set(fits)
    assert [len(history(settings, f"old_then_new{end}")["history"]) for end in ("-old", "")] == [1, 2]
    assert "old_then_new-old@document" not in [model["name"] for model in report["models"]]
    start = read_json(settings.run / "teachers" / "old_then_new" / "start.json")
    assert start["source"] == "teachers/old_then_new-old"


def test_each_phase_of_a_regression_has_borders_of_its_own_and_what_leaves_has_all_classes(made):
    settings, report = made
    borders = [history(settings, f"mse_old_then_new{end}")["objective"]["borders"] for end in ("-old", "")]
    assert all(low <= high for low, high in borders) and borders[0] != borders[1]
    assert load_classifier(settings.run / "teachers" / "mse_old_then_new").config.num_labels == 3
    assert "mse_old_then_new@document" in [model["name"] for model in report["models"]]


def test_a_truncated_model_is_cut_before_its_fit_or_between_two(made):
    settings, report = made
    assert [depth(settings, name) for name in ("full_then_truncated-full", "full_then_truncated", "base_trunc")] == [
        2,
        1,
        1,
    ]
    layers = {model["name"]: model["layers"] for model in report["models"]}
    assert layers["full_then_truncated@document"] == layers["base_trunc@document"] == 1
    starts = {one["model"]: one for one in report["starts"]}
    assert starts["full_then_truncated@document"]["source"] == "teachers/full_then_truncated-full"
    assert starts["base_trunc@document"] | {"layers": [0], "of": 2} == starts["base_trunc@document"]


def test_a_weight_is_how_often_rows_are_read_and_models_of_several_mixtures_stand_in_one_table(made):
    settings, report = made
    assert history(settings, "with_rules")["steps"] == math.ceil((60 + 11 + 6) / 8)
    assert history(settings, "with_model_made")["steps"] == math.ceil((60 + 11) / 8)
    names = [model["name"] for model in report["models"]]
    assert [f"{name}@document" for name in TEACHERS] == names[: len(TEACHERS)]


def test_yes_or_no_is_learnt_in_the_recipes_batches_with_figures_of_each_class_after_every_epoch(made):
    settings, report = made
    taken = {"yes_no_bert": 2 * math.ceil(60 / 8), "yes_no_roberta": 2 * math.ceil(60 / 4), "tiny": math.ceil(60 / 8)}
    assert {name: history(settings, name)["steps"] for name in taken} == taken
    for name in taken:
        for one in history(settings, name)["history"]:
            assert {"accuracy", "точно_precision", "точно_recall", "точно_f1"} <= set(one)
    names = {row["fit"] for row in epochs_sheet(report).rows}
    assert {f"{name}@document" for name in taken} <= names


@pytest.mark.parametrize(
    ("name", "checkpoint", "said"),
    [
        ("yes_no_bert", "ai-forever/ruBert-base@refs/pr/6", {"batch_size": 8}),
        ("yes_no_roberta", "ai-forever/ruRoberta-large", {"batch_size": 4}),
    ],
)
def test_the_recipes_of_yes_or_no_are_those_that_were_recorded(name, checkpoint, said):
    own = resolve("teachers", TeacherConfig, name, {}, "x")
    said |= {"learning_rate": 1e-5, "warmup": 100, "epochs": 5, "optimiser": "adamw", "schedule": "linear"}
    assert own.checkpoint == checkpoint
    assert said.items() <= own.training.as_json().items() and own.training.final_learning_rate == 0


def test_the_phases_of_old_and_new_labels_are_the_best_that_were_recorded():
    phases = resolve("teachers", TeacherConfig, "old_then_new", {}, "x").in_phases()
    found = {name: (one.rows, one.training.epochs, one.training.learning_rate) for name, one in phases.items()}
    assert found == {"old": ({"old": 1.0}, 1, 7e-6), "new": ({"train": 1.0}, 2, 2e-5)}
    assert {one.training.final_learning_rate for one in phases.values()} == {0}


def test_another_second_phase_leaves_the_first_and_other_teachers_as_they_are(made, project):
    settings, _ = made
    changed, steps = (
        resolved(project, "teachers.old_then_new.phases.new.learning_rate=2e-3"),
        Steps(settings.run, {}, {}),
    )
    again = [one.step.name for one in plan(Experiment(changed)) if one.verb == "teach" and not steps.is_done(one.step)]
    assert [name for name in again if name.startswith("teach")] == ["teach old_then_new@document"]


def test_students_card_teacher_and_copies_follow_the_phases(project):
    more = ["students={small: {preset: 3L, layers: 1}}", "controls.card_teacher=true", "teachers.old_then_new.copies=2"]
    experiment = Experiment(resolved(project, *more))
    steps = {stage.step.name: stage.step for stage in plan(experiment)}
    for first, last in [
        ("old_then_new-old@document", "old_then_new@document"),
        ("old_then_new-copy2-old@document", "old_then_new-copy2@document"),
        ("old_then_new-old@card", "old_then_new@card"),
    ]:
        assert steps[f"teach {last}"].upstream == ("records", steps[f"teach {first}"].artifact)
        assert steps[f"teach {first}"].upstream == ("records", "checkpoints/old_then_new")
    assert experiment.first_teacher.name == "old_then_new"
    with pytest.raises(UserError, match="more layers than its source") as caught:
        require_layers(Experiment(resolved(project, "students={small: {preset: 3L, layers: 2, source: base_trunc}}")))
    assert (caught.value.where, caught.value.found) == ("students.small.layers", "2 of 1")


def test_few_steps_stand_for_the_phases_of_an_estimate(project):
    short = _shortened(resolved(project), project / "short")
    fits = short.teachers["old_then_new"].in_phases().values()
    assert [fit.training.max_steps for fit in fits] == [4, 4] and {fit.training.epochs for fit in fits} == {1}
    rows = {"train": 60, "extra.old": 30, "valid": 50, "extra.rules": 11}
    real = {one.step.name: one.step.work(rows).steps for one in plan(Experiment(resolved(project)))}
    assert (real["teach old_then_new-old@document"], real["teach with_rules@document"]) == (4, 10)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (
            "teachers.old_then_new.phases.new.rows=olld",
            "old_then_new.phases.new.rows: no such rows 'olld', did you mean",
        ),
        (
            "teachers.with_rules.rows={made_up: 1}",
            "teachers.with_rules.rows: no such rows 'made_up', known: train, old",
        ),
        ("teachers.with_rules.rows={rules: 0}", "teachers.with_rules.rows.rules: Input should be greater than 0"),
        ("teachers.old_then_new.phases.new.rows=[]", "teachers.old_then_new.phases.new.rows"),
        ("teachers.old_then_new.rows=rules", "teachers.old_then_new.rows: each phase names its own"),
        ("teachers.old_then_new.cross_fit=3", "old_then_new.phases: cross_fit deals out training rows"),
        ("teachers.with_rules.cross_fit=3", "with_rules.rows: cross_fit deals out training rows"),
        ("teachers.base_trunc.phases={one: {}}", "phases: one phase is a plain fit"),
        ("teachers.base_trunc.layers=null", "base_trunc.keep: says which layers are kept"),
        ("teachers.old_then_new.phases.new.keep=last", "old_then_new.phases.new.keep: says which layers"),
        ("teachers.old_then_new.phases.old.final_learning_rate=1", "phases.old.final_learning_rate: 1 is not below"),
        ("teachers.old_then_new.phases={gold: {}}", "its model would be named old_then_new-gold: the ending '-gold'"),
        ("teachers.old_then_new-old={preset: words}", "a model is named 'old_then_new-old' already"),
        ("data.extra.train=old.jsonl", "data.extra: 'train' names the training rows"),
    ],
)
def test_what_phases_and_mixtures_cannot_be_is_named(project, said, key):
    with pytest.raises(UserError) as caught:
        resolve_settings(project / "project.yaml", project / "no", sets=sets(project / "encoder", said))
    assert key in str(caught.value) and caught.value.exit_code == 2


def test_a_phase_without_rows_is_named(project, tmp_path):
    test = read_rows(project, "test")[:4]
    write_rows(project, "judged", test)
    none = ["data.extra={old: judged.jsonl, rules: rules.jsonl}"]
    with pytest.raises(UserError, match="split 'extra.old' has no rows left") as caught:
        execute_run(resolved(project, *none, run="none"), Watch(), "teach")
    assert "data.extra.old" in str(caught.value) and "in_test 4" in str(caught.value)
    with pytest.raises(UserError, match="no row is learnt") as caught:
        mixed_rows(resolved(project).run / "records", {"train": 1.0, "extra.rules": 0.01}, seed=1)
    assert caught.value.where == "extra.rules"
