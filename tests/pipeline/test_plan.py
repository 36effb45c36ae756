"""What the plan does before and after the choice of the labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.names import name_problems
from distill.core.project import Controls
from distill.evaluation.calibrated_predictions import References
from distill.pipeline.checkpoints import _views
from distill.pipeline.experiment import Experiment
from distill.pipeline.figures import baseline
from distill.pipeline.models import CONTROLS, Start
from distill.pipeline.plan import Stage, asking, bundles, learning, plan, stages_until
from distill.pipeline.settings import resolve_settings
from distill.training.joining import Share
from distill.training.losses.term import Term
from tests.core.step_fixtures import left
from tests.pipeline.seeds_project import experiment_of, write_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def chosen(experiment: Experiment, teachers: dict[str, float], start: str) -> None:
    """What the step `choose labels` leaves behind, as far as the plan reads it."""
    temperatures = dict.fromkeys(teachers, 1.5)
    taken = next((name for name, members in experiment.candidates.items() if members == teachers), "document")
    asked = experiment.project.labels
    found = {"asked": asked, "taken": taken, "teachers": teachers, "temperatures": temperatures, "start": start}
    left(experiment.run / "choice" / "choice.json", found)
    artifact = experiment.labelled(start).artifact if start in {one.label for one in experiment.trained} else "gone"
    write_json(experiment.run / artifact / "config.json", {"num_hidden_layers": 2})


def names(stages) -> list[str]:
    return [stage.step.name for stage in stages]


def step(experiment: Experiment, name: str):
    return next(stage.step for stage in plan(experiment) if stage.step.name == name)


def test_the_teachers_are_asked_first_and_twins_come_before_labels(project):
    experiment = experiment_of(project)
    assert names(asking(experiment)) == [
        "records",
        "audit",
        "train tfidf",
        "checkpoint new",
        "teach new@document",
        "checkpoint old",
        "teach old@document",
        "teach new@card",
        "predict new@document",
        "predict new@card",
        "choose labels",
    ]
    assert names(learning(experiment))[:7] == [
        "train small-gold",
        "predict small-gold@card",
        "ask gold-only twins",
        "label new",
        "train small",
        "train small-gold-steps",
        "predict old@document",
    ]


def test_a_baseline_is_found_by_either_name_and_another_one_is_refused(project):
    for named, label in {"small": "small@card", "new@document": "new@document", "majority": "majority"}.items():
        assert baseline(experiment_of(project, f"quality.baseline={named}")) == label
    assert baseline(experiment_of(project)) is None
    with pytest.raises(UserError, match=r"smal.*small@card"):
        list(plan(experiment_of(project, "quality.baseline=smal@card")))


def test_every_model_is_predicted_once(project):
    found = [name for name in names(plan(experiment_of(project))) if name.startswith("predict ")]
    models = ["small@card", "small-gold@card", "small-gold-steps@card", "small@card.onnx"]
    teachers = ["new@document", "new@card", "old@document", "new@document>card"]
    assert sorted(found) == sorted(f"predict {name}" for name in (*models, *teachers, "tfidf@card"))


def test_controls_learn_gold_on_cards_alone_and_are_left_out_by_name(project):
    experiment = experiment_of(project)
    assert [spec.label for spec in experiment.controls] == ["tfidf@card"]
    assert {*CONTROLS} <= {*Controls.model_fields} and all(name_problems("teachers", [name]) for name in CONTROLS)
    assert step(experiment, "train tfidf").upstream == ("records",)
    assert "train tfidf" in names(stages_until(list(plan(experiment)), "evaluate"))
    assert "train tfidf" not in names(stages_until(list(plan(experiment)), "label"))
    without = experiment_of(project, "controls.tfidf=false")
    assert without.controls == [] and not [name for name in names(plan(without)) if "tfidf" in name]


def test_a_control_that_starts_from_an_encoder_takes_the_untouched_one(project):
    """It is fitted on gold alone, and no teacher has a part in it."""
    experiment = experiment_of(project, "controls.bag_of_tokens=true")
    assert [spec.label for spec in experiment.controls] == ["tfidf@card", "bag_of_tokens@card"]
    assert [spec.name for spec in experiment.early_controls] == ["tfidf"]
    assert step(experiment, "train bag_of_tokens").upstream == ("records", "checkpoints/new")
    assert experiment.models["bag_of_tokens"].family == "bag" and experiment.models["bag_of_tokens"].role == "control"
    order = names(plan(experiment))
    assert (
        order.index("checkpoint new") < order.index("train bag_of_tokens") < order.index("predict bag_of_tokens@card")
    )
    assert order.count("checkpoint new") == 1
    with pytest.raises(UserError, match="controls.bag_of_tokens: no teacher starts from a checkpoint"):
        resolve_settings(project, project.parent, teachers=["words"], sets=["controls.bag_of_tokens=true"])


def test_candidates_are_the_document_teacher_the_card_teacher_and_both(project):
    assert experiment_of(project).candidates == {
        "document": {"new@document": 1.0},
        "card": {"new@card": 1.0},
        "mean": {"new@document": 0.5, "new@card": 0.5},
        "mixture": {"new@document": 0.5, "new@card": 0.5},
    }
    assert experiment_of(project, "labels=old").candidates["old"] == {"old@document": 1.0}
    weights = experiment_of(project, "teachers.old.weight=3").candidates
    assert weights["document"] == {"new@document": 0.25, "old@document": 0.75}
    assert weights["mean"] == {"new@document": 0.125, "old@document": 0.375, "new@card": 0.5}
    assert list(weights["mixture"]) == ["new@document", "old@document", "new@card"]
    assert set(experiment_of(project, "teachers.old.weight=1", "teachers.new.view=card").candidates) == {
        "document",
        "mixture",
    }
    assert set(experiment_of(project, "teachers.new.labels=x.jsonl").candidates) == {"document"}
    assert set(experiment_of(project, "teachers.new.view=card").candidates) == {"document"}


@pytest.mark.parametrize(
    ("labels", "steps"),
    [
        ("auto", ["label new"]),
        ("document", ["label new"]),
        ("card", ["label new@card"]),
        ("mean", ["label new", "label new@card"]),
        ("mixture", ["label new", "label new@card"]),
        ("old", ["label old"]),
    ],
)
def test_who_labels_before_the_choice_is_made(project, labels, steps):
    assert [
        name for name in names(plan(experiment_of(project, f"labels={labels}"))) if name.startswith("label")
    ] == steps


def test_after_the_choice_its_teachers_label_and_the_better_one_gives_its_layers(project):
    experiment = experiment_of(project)
    before = step(experiment, "train small")
    chosen(experiment, {"new@document": 0.5, "new@card": 0.5}, start="new@card")
    assert experiment.chosen == {"new@document": Share(0.5, 1.5), "new@card": Share(0.5, 1.5)}
    after = step(experiment, "train small")
    assert before.upstream == ("records", "teachers/new", "labels/new")
    assert after.upstream == ("records", "teachers/new@card", "labels/new", "labels/new@card")
    assert before.config != after.config
    assert step(experiment, "label new@card").upstream == ("records", "teachers/new@card")


def test_after_a_mixture_its_members_label_and_its_weights_are_learnt_from(project):
    experiment = experiment_of(project, "teachers.old.weight=1")
    members = {"new@document": 0.6, "old@document": 0.4}
    chosen(experiment, members, start="new@document")
    path = experiment.run / "choice" / "choice.json"
    found = {
        **read_json(path),
        "taken": "mixture",
        "class_weights": {name: [0.1, 0.2, w] for name, w in members.items()},
    }
    left(path, found)
    mixed = experiment_of(project, "teachers.old.weight=1", "select.rows=20")
    assert mixed.chosen == {name: Share(w, 1.5, (0.1, 0.2, w)) for name, w in members.items()}
    train = step(mixed, "train small")
    assert train.upstream == ("records", "teachers/new", "labels/new", "labels/old", "selection")
    for reading in (train, step(mixed, "select pool rows")):
        assert reading.config["shares"] == [[0.6, 1.5, 0.1, 0.2, 0.6], [0.4, 1.5, 0.1, 0.2, 0.4]]
    left(path, {**found, "teachers": {"gone@document": 1.0}})
    assert experiment_of(project, "teachers.old.weight=1").choice is None


def test_twins_start_where_the_student_does_and_one_waits_for_its_steps(project):
    experiment = experiment_of(project)
    chosen(experiment, {"new@card": 1.0}, start="new@card")
    assert step(experiment, "train small-gold").upstream == ("records", "teachers/new@card")
    assert step(experiment, "train small-gold-steps").upstream == ("records", "teachers/new@card", "students/small")


def test_a_student_with_a_source_of_its_own_keeps_it(project):
    experiment = experiment_of(project, "students.small.source=old")
    chosen(experiment, {"new@card": 1.0}, start="new@card")
    assert experiment.start(experiment.models["small"]) == Start("teachers/old")


def test_a_choice_of_models_that_the_run_no_longer_has_does_not_count(project):
    experiment = experiment_of(project)
    chosen(experiment, {"gone@document": 1.0}, start="gone@document")
    assert experiment.choice is None and experiment.chosen == {"new@document": Share(1.0)}


@pytest.mark.parametrize(
    ("verb", "last", "without"),
    [
        ("audit", "audit", []),
        ("teach", "choose labels", ["label new"]),
        ("label", "label new", ["train small-gold", "predict small-gold@card", "ask gold-only twins"]),
        ("train", "train small-gold-steps", []),
    ],
)
def test_how_far_each_verb_goes(project, verb, last, without):
    found = names(stages_until(list(plan(experiment_of(project))), verb))
    assert found[-1] == last and not set(without) & set(found)


def test_without_students_labels_are_chosen_and_made_only_when_asked(project):
    stages: list[Stage] = list(plan(Experiment(replace(experiment_of(project).settings, students={}))))
    assert names(stages_until(stages, "label"))[-2:] == ["choose labels", "label new"]
    assert not {"choose labels", "label new"} & set(names(stages_until(stages, "report")))


def test_a_card_teacher_is_trained_where_its_view_is_another_one_and_copied_where_it_is_not(project):
    other = step(experiment_of(project), "teach new@card")
    assert "checkpoints/new" in other.upstream
    views = "{left: [left.title], right: [right.title], max_tokens: 16}"
    equal = step(experiment_of(project, f"views.card={views}", f"views.document={views}"), "teach new@card")
    assert equal.upstream == ("teachers/new",)


class WholeStates(Term):
    needs = frozenset({"logits", "hidden_states"})

    def __call__(self, student, teacher, batch):
        raise NotImplementedError


def test_a_student_reads_a_teachers_model_only_where_a_loss_term_does(project):
    losses = "students.small.losses={soft_cross_entropy: {}, 'tests.pipeline.test_plan:WholeStates': {weight: %s}}"
    second = "teachers.old.weight=3"
    for sets, extra in (((), ()), ((losses % 0,), ()), ((losses % 1,), ("teachers/old",))):
        experiment = experiment_of(project, second, *sets)
        plain = ("records", experiment.start(experiment.models["small"]).artifact, "labels/new", "labels/old")
        assert step(experiment, "train small").upstream == (*plain, *extra)
    own = experiment_of(project, losses % 1)
    assert own.start(own.models["small"]) == Start("teachers/new")
    assert step(own, "train small").upstream.count("teachers/new") == 1


def test_the_view_that_a_teacher_reads_for_a_term_is_part_of_the_fit_and_tried_before_it(project):
    wide = "views.wide={left: [left.title], right: [right.title], max_tokens: %d}"
    losses = "students.small.losses={gold: {}, hidden_states: {tokens: first%s}}"
    plain, one, longer = (
        experiment_of(project, wide % tokens, losses % view)
        for tokens, view in ((20, ""), (20, ", view: wide"), (24, ", view: wide"))
    )
    configs = [step(each, "train small").config for each in (plain, one, longer)]
    assert "teacher_views" not in configs[0] and configs[1] != configs[2]
    assert configs[1]["teacher_views"] == {"wide": one.project.views["wide"].as_fingerprint()}
    assert "views.wide" in _views(one, "new", []) and "views.wide" not in _views(plain, "new", [])
    with pytest.raises(UserError, match=r"losses.hidden_states.view: unknown view 'wode', did you mean 'wide'"):
        experiment_of(project, wide % 20, losses % ", view: wode")


@pytest.fixture
def imported(project):
    """The project with the first teacher's logits made elsewhere."""
    (project.parent / "logits.jsonl").touch()
    made = [f"teachers.new.labels={project.parent / 'logits.jsonl'}", "teachers.old.weight=0"]
    return lambda *sets: experiment_of(project, *made, *sets)


def test_imported_labels_train_no_teacher(imported):
    assert names(stages_until(list(plan(imported())), "label")) == ["records", "audit", "choose labels", "label new"]


def test_label_trains_only_the_teachers_that_label_or_are_asked(project):
    until = names(stages_until(list(plan(experiment_of(project, "teachers.old.weight=0"))), "label"))
    assert "teach new@document" in until and "choose labels" in until and not any("old" in name for name in until)
    both = names(stages_until(list(plan(experiment_of(project, "teachers.old.weight=1"))), "label"))
    assert {"teach old@document", "label old"} <= set(both)


def test_no_teacher_on_cards_is_made_up_where_none_was_trained_there(project, imported):
    """Else what a student keeps of it would be measured against the document teacher reading cards."""
    assert imported().references == References(document="old@document", card=None)
    folder = project.parent / "finished"
    folder.mkdir()
    finished = [f"teachers.new.finished={folder}", "teachers.new.checkpoint=null", "teachers.new.fresh=null"]
    assert experiment_of(project, *finished).references.card is None
    on_cards = experiment_of(project, *finished, "teachers.new.view=card")
    assert on_cards.references == References(document=None, card="new@card") and on_cards.cross_view is None


def test_a_student_with_settings_that_are_lists_and_mappings_is_handed_off_once(project):
    experiment = experiment_of(project, "students.4L={losses: {gold: {}, soft_cross_entropy: {}}, learns_from: [new]}")
    chosen(experiment, {"new": 1.0}, "new@document")
    made = names(bundles(experiment))
    assert "bundle 4L" in made and len(made) == len(set(made))
