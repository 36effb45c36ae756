"""How options and a project file become one resolved description of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import bundles, plan
from distill.pipeline.settings import resolve_settings

PROJECT = """
task: {labels: [нет, да], positive: да}
data: {root: data, train: train.jsonl, test: {unseen: test.jsonl}}
views: {document: {left: [a, b], max_tokens: 64}, card: {left: [a], max_tokens: 16}}
students: {6L: {preset: 6L, temperature: 3}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "project.yaml"
    path.write_text(PROJECT, encoding="utf-8")
    return path


def resolved(config: Path, **options):
    return resolve_settings(config, config.parent / "run", **options)


def test_defaults_fill_what_the_project_leaves_out(config):
    settings = resolved(config)
    assert list(settings.teachers) == ["base"] and list(settings.students) == ["6L"]
    assert list(settings.targets) == ["onnx", "onnx-int8"]


def test_order_is_preset_then_file_then_set(config):
    assert resolved(config).students["6L"].alpha == 0.5
    assert resolved(config).students["6L"].temperature == 3
    assert resolved(config, sets=["students.6L.temperature=7"]).students["6L"].temperature == 7


def test_a_named_student_need_not_stand_in_the_project(config):
    settings = resolved(config, students=["8L_trunc", "3L"])
    assert [(name, s.layers, s.keep) for name, s in settings.students.items()] == [
        ("8L_trunc", 8, "first"),
        ("3L", 3, "spread"),
    ]


def test_a_folder_is_a_finished_teacher(config, tmp_path):
    (tmp_path / "bought").mkdir()
    settings = resolved(config, teachers=[str(tmp_path / "bought")])
    assert settings.teachers["bought"].finished == str(tmp_path / "bought")


def test_labels_auto_are_those_of_the_training_rows(config, tmp_path):
    (tmp_path / "data").mkdir()
    gold = [10, 9.0, "2", ["2", "11"], '["3"]', {"7": 1}, None]
    rows = [{"id": str(i), "label": label} for i, label in enumerate(gold)]
    lines = [json.dumps(row) for row in rows] + ["{", ""]
    (tmp_path / "data" / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "data" / "test.jsonl").write_text('{"id": "t", "label": 2.0}', encoding="utf-8")
    settings = resolved(config, sets=["task.labels=auto", "task.positive=11"])
    assert settings.project.task.labels == ["2", "3", "7", "9", "10", "11"]
    assert settings.as_json()["task"]["labels"] == settings.project.task.labels
    scale = resolved(config, sets=["task.labels=auto", "task.positive=11", "task.ordered=true"])
    assert scale.project.task.labels == settings.project.task.labels
    with pytest.raises(UserError, match="labels"):
        resolved(config, sets=["task.labels=auto", "task.positive=12"])
    (tmp_path / "data" / "test.jsonl").write_text('{"id": "t"}', encoding="utf-8")
    (tmp_path / "data" / "train.jsonl").write_text('{"label": "bad"}\n{"label": "awful"}', encoding="utf-8")
    with pytest.raises(UserError, match=r"order of the alphabet, which is no scale \(awful, bad\); list them"):
        resolved(config, sets=["task.labels=auto", "task.positive=null", "task.ordered=true"])
    (tmp_path / "data" / "train.jsonl").write_text('{"label": "a"}', encoding="utf-8")
    with pytest.raises(UserError, match="1 different values in column 'label'"):
        resolved(config, sets=["task.labels=auto", "task.positive=null"])


@pytest.mark.parametrize(("gold", "positive"), [([True, False], "true"), ([1.0, 0.0], "1.0")])
def test_a_positive_label_of_labels_auto_may_be_a_number_or_a_boolean(config, tmp_path, gold, positive):
    (tmp_path / "data").mkdir()
    for name in ("train", "test"):
        rows = [json.dumps({"id": f"{name}{i}", "label": label}) for i, label in enumerate(gold)]
        (tmp_path / "data" / f"{name}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    settings = resolved(config, sets=["task.labels=auto", f"task.positive={positive}"])
    assert settings.project.task.positive == settings.project.task.labels[1]


def test_checkpoint_goes_to_every_chosen_teacher(config):
    assert resolved(config, checkpoint="some/encoder").teachers["base"].checkpoint == "some/encoder"


def test_checkpoint_goes_to_the_teachers_that_start_from_one(config, tmp_path):
    """A teacher of words has none, an ensemble is of others, and a finished one is as it is."""
    (tmp_path / "bought").mkdir()
    teachers = "teachers={base: {}, words: {preset: words}, both: {preset: ensemble, members: {base: 1, words: 1}}}"
    settings = resolved(config, checkpoint="some/encoder", sets=[teachers])
    assert [getattr(one, "checkpoint", None) for one in settings.teachers.values()] == ["some/encoder", None, None]
    bought = resolved(config, checkpoint="some/encoder", teachers=["base", str(tmp_path / "bought")]).teachers["bought"]
    assert bought.checkpoint != "some/encoder"
    imported = ["teachers={base: {labels: a.jsonl, checkpoint: null}}"]  # students start from its checkpoint
    assert resolved(config, checkpoint="some/encoder", sets=imported).teachers["base"].checkpoint == "some/encoder"
    own = ["teachers={base: {checkpoint: null, vocabulary: {}}}"]  # alone it would be refused
    assert resolved(config, checkpoint="some/encoder", sets=own).teachers["base"].vocabulary is not None
    with pytest.raises(UserError, match="no teacher starts from a checkpoint") as caught:
        resolved(config, checkpoint="some/encoder", teachers=["words"])
    assert caught.value.exit_code == 2


def test_a_field_of_a_key_with_dots_is_reached(config):
    budgets = "views.document={left: [a, page.body], budgets: {page.body: 30}}"
    changed = resolved(config, sets=[budgets, "views.document.budgets.page.body=10"])
    assert changed.project.views["document"].budgets == {"page.body": 10}
    text = config.read_text(encoding="utf-8") + "teachers: {v1: {preset: base}, v1.2: {preset: base}}\n"
    config.write_text(text, encoding="utf-8")
    found = resolved(config, sets=["teachers.v1.2.weight=3", "teachers.v1.weight=2"]).teachers
    assert {name: one.weight for name, one in found.items()} == {"v1": 2, "v1.2": 3}


def test_root_is_the_files_folder_or_the_callers(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    assert resolved(config).project.data.root == str(tmp_path / "data")
    assert resolved(config, sets=["data.root=elsewhere"]).project.data.root == str(tmp_path.parent / "elsewhere")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"students": ["8L_trnc"]}, "did you mean '8L_trunc'"),
        ({"teachers": ["bsae"]}, "did you mean 'base'"),
        ({"sets": ["students.6L.preset=9L"]}, "unknown student preset"),
        ({"sets": ["students.6L.source=other"]}, "no such model 'other', known: base"),
        (
            {"sets": ["task={kind: multi, positive: null}", "students.4L.losses={logits_mse: {centred: true}}"]},
            "students.4L.losses.logits_mse.centred: of task.kind multi each class has a sigmoid of its own",
        ),
        (
            {"sets": ["students.4L.losses={gold: {sources: {tarin: {weight: 1}}}}"]},
            "students.4L.losses.gold.sources: no such source 'tarin', did you mean 'train'?",
        ),
        ({"sets": ["students.6L.view=crad"]}, "unknown view 'crad'"),
        ({"sets": ["export=[onnx, onxn]"]}, "unknown target 'onxn', did you mean 'onnx'?"),
        ({"sets": ["teachers.base.weight=0"]}, "every weight is 0"),
        ({"sets": ["teachers.base.slices=[]"]}, "teachers.base.slices"),
        ({"sets": ["teachers.base={finished: x, slices: [a]}"]}, "teachers.base.slices: a finished teacher is not"),
        (
            {"sets": ["teachers.base={finished: x, cross_fit: 3}"]},
            "teachers.base.cross_fit: of the family finished nothing is fitted here",
        ),
        (
            {"sets": ["teachers.base={labels: x.jsonl, cross_fit: 3}"]},
            "teachers.base.cross_fit: of the family imported nothing is fitted here",
        ),
        (
            {
                "sets": [
                    "teachers={a: {preset: base, cross_fit: 2}, b: {preset: words}, "
                    "ab: {preset: ensemble, members: {a: 1, b: 1}}}"
                ]
            },
            "teachers.ab.members: 'a' is cross-fitted, which an ensemble's own labels are not",
        ),
        (
            {"sets": ["teachers={base: {cross_fit: 2, starts_from: b}, b: {preset: base}}"]},
            "teachers.base.cross_fit: 'b', which it starts from, has seen the gold of every fold",
        ),
        ({"sets": ["teachers.base.cross_fit=1"]}, "teachers.base.cross_fit"),
        ({"sets": ["seeds=[1, 1]"]}, "seeds: a duplicate seed"),
        ({"sets": ["seeds=[]"]}, "seeds: List should have at least 1 item"),
        ({"sets": ["seeds=[1]", "training_seed=2"]}, "training_seed: seeds gives each run its own"),
        ({"sets": ["bench.requests=0"]}, "bench.requests"),
        ({"sets": ["students.base={preset: 3L}"]}, "a teacher has this name too"),
        ({"sets": ["temperature"]}, "key=value"),
        ({"sets": ["labels=cards"]}, "labels: unknown 'cards', did you mean 'card'?"),
        ({"sets": ["labels=bsae"]}, "labels: unknown 'bsae', did you mean 'base'?"),
        ({"sets": ["labels=xyz"]}, "labels: unknown 'xyz', known: auto, document, card, mean, mixture, base"),
        (
            {"sets": ["labels=card", "teachers.base.finished=x"]},
            "labels: card needs a card teacher, but the",
        ),
        (
            {"sets": ["labels=mean", "teachers.base.finished=x"]},
            "labels: mean needs a card teacher, but the",
        ),
        (
            {"sets": ["labels=mixture", "teachers.base.finished=x"]},
            "labels: mixture needs two teachers of this run, but the teacher is finished",
        ),
        (
            {"sets": ["labels=mixture", "teachers={base: {labels: x.jsonl}, b: {preset: base}}"]},
            "labels: mixture needs two teachers of this run, but the labels of one were made elsewhere",
        ),
        ({"sets": ["labels=card", "teachers.base.view=card"]}, "but the teacher reads cards itself"),
        ({"sets": ["labels=card", "teachers.base.labels=x.jsonl"]}, "but the teacher's labels were made elsewhere"),
        ({"sets": ["quality.metric=f1_positive", "task.positive=null"]}, "f1_positive needs a positive class"),
        (
            {"sets": ["teachers.base.training={warmup: 100, ceiling_steps: 50}"]},
            "teachers.base.training.ceiling_steps: 50 is not above the warm-up of 100 steps",
        ),
        (
            {"sets": ["students.6L.training={warmup: 100, max_steps: 50}"]},
            "students.6L.training.max_steps: 50 is not above the warm-up of 100 steps",
        ),
        (
            {"sets": ["students.6L.training={epochs: null, checkpoint: last}"]},
            "students.6L.training.checkpoint: last needs a fixed length",
        ),
    ],
)
def test_mistakes_are_named(config, options, part):
    with pytest.raises(UserError) as caught:
        resolved(config, **options)
    assert part in str(caught.value) and caught.value.exit_code == 2


def test_card_labels_without_students_are_a_mistake(config):
    config.write_text(PROJECT.partition("students:")[0] + "students: {}\nlabels: card\n", encoding="utf-8")
    with pytest.raises(UserError, match="labels: card needs a card teacher, but there are no students to learn"):
        resolved(config)


@pytest.mark.parametrize("labels", ["auto", "document", "card", "mean", "base"])
def test_labels_that_may_be_asked_for(config, labels):
    assert resolved(config, sets=[f"labels={labels}"]).project.labels == labels


def test_a_teacher_of_weight_0_never_leads_and_never_labels(config, tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("train.jsonl", "test.jsonl"):
        (tmp_path / "data" / name).touch()
    settings = resolved(config, sets=["teachers={old: {preset: base, weight: 0}, new: {preset: base}}"])
    experiment = Experiment(settings)
    assert (settings.first_teacher, experiment.first_teacher.name, experiment.references.document) == (
        "new",
        "new",
        "new@document",
    )
    names = [stage.step.name for stage in [*plan(experiment), *bundles(experiment)]]
    assert "teach old@document" in names and "predict old@document" in names
    assert "label new" in names and "label old" not in names and "export old.onnx" not in names


def test_pretrained_start_needs_a_checkpoint_of_the_run(config, tmp_path):
    (tmp_path / "bought").mkdir()
    with pytest.raises(UserError, match="has no pre-trained checkpoint"):
        resolved(config, teachers=[str(tmp_path / "bought")], sets=["students.6L.init=pretrained"])


def _own(config: Path, package: str, name: str, text: str) -> None:
    folder = config.parent / "presets" / package
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_presets_in_the_folder_of_the_project_file_come_first(config):
    _own(config, "students", "5L", "layers: 5\nkeep: first\n")
    _own(config, "students", "6L", "layers: 6\nkeep: first\n")
    _own(config, "teachers", "wide", "checkpoint: some/encoder\n")
    _own(config, "export", "careful", "target: onnx_int8_dynamic\nmax_flips: 0.001\n")
    settings = resolved(config, students=["5L", "6L"], teachers=["wide"], sets=["export=[careful]"])
    assert [(one.layers, one.keep) for one in settings.students.values()] == [(5, "first"), (6, "first")]
    assert settings.teachers["wide"].checkpoint == "some/encoder"
    assert settings.targets["careful"].max_flips == 0.001


def test_unknown_names_are_compared_with_the_projects_presets(config):
    _own(config, "students", "shallow", "layers: 5\nkeep: first\n")
    _own(config, "export", "careful", "target: onnx_int8_dynamic\n")
    with pytest.raises(UserError, match="did you mean 'shallow'"):
        resolved(config, students=["shalow"])
    with pytest.raises(UserError, match="did you mean 'careful'"):
        resolved(config, sets=["export=[carefull]"])
