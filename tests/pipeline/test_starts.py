"""What models start from in the plan: starts of their own, trimmed vocabularies, measured layers."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core.config import parse_yaml
from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.progress import Reporter
from distill.core.run_folder import RunFolder
from distill.inference import trial
from distill.pipeline.ancestry import views_read
from distill.pipeline.entries import student_entry, teacher_entry
from distill.pipeline.experiment import Experiment
from distill.pipeline.outlook import outlook
from distill.pipeline.plan import asking, learning, plan
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from distill.pipeline.tokenizer import tokenizer_of
from tests.cli.planted_project import THINGS

TEXTS = [f"{thing}{end}" for thing in THINGS for end in ("", "ный", "ная 750 Вт", " купить ремонт аналог")]
TRIMMED = "teachers.base.vocabulary={keep: seen}"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(FAMILIES["BERT"], TEXTS, folder)
    return folder


@pytest.fixture
def settings(planted, tmp_path, checkpoint):
    """`settings(*sets)`: the planted project, whose teacher starts from a checkpoint of four layers."""

    def make(*sets):
        given = [f"teachers.base.checkpoint={checkpoint}", "teachers.base.fresh=null", *sets]
        return resolve_settings(planted, tmp_path / "run", sets=given)

    return make


@pytest.fixture
def experiment(settings):
    """`experiment(*sets)`."""
    return lambda *sets: Experiment(settings(*sets))


def names(stages):
    return [stage.step.name for stage in stages]


def step(experiment, name):
    return next(stage.step for stage in plan(experiment) if stage.step.name == name)


def starts_of(experiment, *models):
    return [experiment.start(experiment.models[name]).artifact for name in models]


@pytest.mark.parametrize(
    "vocabulary", ["vocab.txt", "spm.model", "spiece.model", "sentencepiece.bpe.model", "merges.txt", None]
)
def test_a_checkpoint_step_depends_on_the_vocabulary_that_its_tokenizer_is_made_of(
    experiment, checkpoint, tmp_path, vocabulary
):
    folder = shutil.copytree(checkpoint, tmp_path / "own")
    plain = {path.name for path in folder.iterdir()}
    assert plain == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    for name in (vocabulary, "notes.txt"):
        if name is not None:
            (folder / name).write_text("дрель\n")
    files = step(experiment(f"teachers.base.checkpoint={folder}"), "checkpoint base").files
    assert [path.name for path in files] == sorted(plain | {vocabulary} - {None})


SMALL = ("small", "small-gold", "small-gold-steps")


def test_a_start_of_its_own_is_the_students_and_its_twins(experiment, checkpoint):
    found = experiment(f"students.small.start={checkpoint}")
    assert starts_of(found, *SMALL) == ["checkpoints/small"] * 3
    made = names(learning(found))
    assert made.index("checkpoint small") < made.index("train small-gold") and made.count("checkpoint small") == 1
    assert step(found, "train small").upstream == ("records", "checkpoints/small", "labels/base")
    assert {path.name for path in step(found, "checkpoint small").files} >= {"model.safetensors", "tokenizer.json"}


def test_random_weights_of_its_own_have_their_shape_and_vocabulary(experiment):
    found = experiment("students.small.fresh={layers: 1, width: 24, heads: 3, vocabulary: 120}")
    assert starts_of(found, *SMALL) == ["checkpoints/small"] * 3
    assert step(found, "checkpoint small").upstream == ("records",)
    other = experiment("students.small.fresh={layers: 1, width: 48, heads: 3, vocabulary: 120}")
    assert step(found, "checkpoint small").config != step(other, "checkpoint small").config


def test_an_assistant_with_a_start_of_its_own_hands_it_on(experiment, checkpoint):
    big = f"students.big={{preset: 4L, layers: 2, start: {checkpoint}}}"
    found = experiment(big, "students.small.source=big")
    assert starts_of(found, "big", "small") == ["checkpoints/big", "students/big"]


def test_a_teachers_vocabulary_is_trimmed_before_it_is_fine_tuned(experiment):
    found = experiment(TRIMMED)
    made = names(asking(found))
    assert [name for name in made if "base" in name][:3] == ["checkpoint base", "trim base", "teach base@document"]
    assert step(found, "teach base@document").upstream == ("records", "trimmed/base")
    assert step(found, "teach base@card").upstream == ("records", "trimmed/base")
    trim = step(found, "trim base")
    assert trim.reads[0].files == ("train.parquet", "pool.urls.parquet") and trim.upstream[1:] == ("checkpoints/base",)
    assert starts_of(found, *SMALL) == ["teachers/base"] * 3
    assert starts_of(experiment(TRIMMED, "students.small.init=pretrained"), *SMALL) == ["trimmed/base"] * 3
    assert names(plan(found)).count("trim base") == 1 and "trim base" not in names(plan(experiment()))


def test_a_students_vocabulary_is_trimmed_once_for_it_and_its_twins(experiment):
    found = experiment("students.small.vocabulary={min_count: 2}")
    assert starts_of(found, *SMALL) == ["trimmed/small"] * 3
    assert step(found, "trim small").upstream == ("records", "teachers/base")
    assert names(plan(found)).count("trim small") == 1
    assert [one.name for one in found.in_order(list(found.models.values()))].index("base") == 0
    both = experiment(TRIMMED, "students.small.vocabulary={}", "students.small.init=pretrained")
    assert step(both, "trim small").upstream == ("records", "trimmed/base")
    assert names(plan(both)).count("trim base") == 1


def test_tokens_count_in_every_view_that_may_be_read(settings):
    wide = "views.wide={left: [page.body], max_tokens: 9}"
    more = "students.other={preset: 4L, layers: 1, view: wide}"
    assert views_read("base", settings(TRIMMED, wide)) == ["card", "document"]
    assert views_read("base", settings(TRIMMED, wide, more)) == ["card", "document", "wide"]
    assert views_read("small", settings(wide, more)) == ["card"]
    own = "students.other={preset: 4L, layers: 1, view: wide, start: somewhere/else}"
    assert views_read("base", settings(TRIMMED, wide, own)) == ["card", "document"]
    heir = "students.heir={preset: 3L, layers: 1, view: document, source: other}"
    assert views_read("other", settings(wide, own, heir)) == ["document", "wide"]


def test_what_trimming_changes_of_the_tests_is_asked_at_the_end(experiment):
    found = experiment(TRIMMED)
    made = names(plan(found))
    assert made.index("trimmed vocabularies") > made.index("train small")
    asked = step(found, "trimmed vocabularies")
    assert asked.reads[0].files == ("test.unseen.parquet",) and set(asked.upstream[1:]) == {
        "checkpoints/base",
        "trimmed/base",
    }
    assert "trimmed vocabularies" not in names(plan(experiment()))


def test_another_least_count_redoes_the_trim_and_the_default_redoes_nothing(experiment):
    plain = step(experiment(TRIMMED), "trim base").config
    assert plain == step(experiment("teachers.base.vocabulary={}"), "trim base").config
    assert plain != step(experiment("teachers.base.vocabulary={min_count: 2}"), "trim base").config
    assert step(experiment(TRIMMED), "teach base@document").config == step(experiment(), "teach base@document").config


def test_layers_are_measured_once_for_a_student_and_its_twins_on_training_rows(experiment):
    found = experiment("students.small.keep=probe")
    made = names(learning(found))
    assert made.index("probe small") < made.index("train small-gold") and made.count("probe small") == 1
    assert step(found, "probe small").upstream == ("records", "teachers/base")
    assert step(found, "probe small").reads[0].files == ("train.parquet",)
    for name in SMALL:
        assert "layers/small" in step(found, f"train {name}").upstream


ASSISTED = [
    "students.big={preset: 4L, layers: 3, keep: probe}",
    "students.small.source=big",
    "students.small.keep=probe",
]


def test_twins_of_a_student_of_a_student_take_the_layers_that_were_measured_for_both(experiment):
    """They start where the first one does, after all is measured."""
    found = experiment(*ASSISTED)
    assert starts_of(found, "small", "small-gold") == ["students/big", "teachers/base"]
    made, twin = names(plan(found)), step(found, "train small-gold")
    assert {"layers/big", "layers/small", "teachers/base"} <= set(twin.upstream) and "students/big" not in twin.upstream
    order = ["probe big", "train big", "probe small", "train small-gold"]
    assert [made.index(name) for name in order] == sorted(made.index(name) for name in order)
    assert made.count("probe big") == made.count("probe small") == 1


def test_twins_of_a_student_of_a_student_have_a_trimmed_start_of_their_own(experiment):
    """The student's has weights that have seen a teacher's labels."""
    found = experiment(*ASSISTED[:2], "students.small.vocabulary={}")
    assert starts_of(found, *SMALL) == ["trimmed/small", "trimmed/small-gold", "trimmed/small-gold"]
    assert step(found, "trim small").upstream == ("records", "students/big")
    assert step(found, "trim small-gold").upstream == ("records", "teachers/base")


def test_a_vocabulary_is_trimmed_after_more_pre_training_and_by_the_first_of_teachers(experiment):
    adapted = experiment(TRIMMED, "teachers.base.pretrain=true")
    assert step(adapted, "trim base").upstream == ("records", "adapted/base")
    heir = "teachers.heir={preset: base, checkpoint: %s, starts_from: base, weight: 0, view: other%s}"
    place = experiment().settings.teachers["base"].checkpoint
    view = "views.other={left: [page.body], max_tokens: 9}"
    found = experiment(TRIMMED, view, heir % (place, ""))
    assert views_read("base", found.settings) == ["card", "document", "other"]
    with pytest.raises(UserError, match="vocabulary: the teacher starts from 'base', whose vocabulary it has"):
        experiment(TRIMMED, view, heir % (place, ", vocabulary: {}"))


def test_the_views_of_a_run_are_shown_by_the_trimmed_tokenizer(settings, checkpoint):
    trimmed = settings(TRIMMED)
    assert tokenizer_of(trimmed, "document") == checkpoint / "tokenizer.json"
    made = trimmed.run / RunFolder.trimmed("base") / "tokenizer.json"
    write_json(made, {})
    assert (
        tokenizer_of(trimmed, "document") == made
        and tokenizer_of(settings(), "document") == checkpoint / "tokenizer.json"
    )


@pytest.mark.parametrize(
    ("sets", "where", "found"),
    [
        (["students.small.layers=5"], "students.small.layers", "5 of 4"),
        (
            ["students.small={preset: 3L, layers: 3, keep: [0, 2, 4]}"],
            "students.small.keep",
            "layer 4 of layers 0 to 3",
        ),
        (["students.small.layers=5", "students.small.start=@"], "students.small.layers", "5 of 4"),
        (["students.small.layers=2", "students.small.fresh={layers: 1}"], "students.small.layers", "2 of 1"),
        (
            ["students.big={preset: 4L, layers: 2}", "students.small={preset: 3L, layers: 3, source: big}"],
            "students.small.layers",
            "3 of 2",
        ),
    ],
)
def test_layers_that_are_not_there_are_refused_before_anything_is_done(settings, checkpoint, sets, where, found):
    made = settings(*(one.replace("@", str(checkpoint)) for one in sets))
    for run in (outlook, lambda one: execute_run(one, Reporter(), "train")):
        with pytest.raises(UserError) as caught:
            run(made)
        assert (caught.value.where, caught.value.found) == (where, found)
    assert not (made.run / "run.json").exists()


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("students.small.fresh={width: 64, heads: 5}", "students.small.fresh.width: 64 is no multiple of heads, 5"),
        ("students.small.vocabulary={keep: all}", "students.small.vocabulary.keep: Input should be 'seen'"),
        (
            "students.small={vocabulary: {}, losses: {'tests.pipeline.test_plan:WholeStates': {}}}",
            "WholeStates reads the teacher's model on the student's tokens, and by vocabulary the student has others",
        ),
        ("students.small.keep=[]", "students.small.keep: List should have at least 1 item"),
        ("students.small.keep=middle", "students.small.keep: Input should be 'spread', 'first', 'last' or 'probe'"),
    ],
)
def test_settings_of_a_start_are_refused_by_name(settings, sets, message):
    with pytest.raises(UserError) as caught:
        settings(sets)
    assert message in str(caught.value)


def test_lines_of_the_page_are_entries_of_a_project(tmp_path):
    page = (Path(__file__).resolve().parents[2] / "docs" / "starts.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    sections = parse_yaml(block, "docs/starts.md")
    for package, entry_of in (("teachers", teacher_entry), ("students", student_entry)):
        for name, entry in sections[package].items():
            assert entry_of(name, entry, "docs/starts.md", tmp_path).preset


def test_a_teacher_without_layers_may_have_a_student_with_a_start_of_its_own(planted, tmp_path, checkpoint):
    with pytest.raises(UserError, match="has no layers to take"):
        resolve_settings(planted, tmp_path / "run", teachers=["words"])
    own = [f"students.small.start={checkpoint}"]
    assert resolve_settings(planted, tmp_path / "run", teachers=["words"], sets=own).students["small"].has_own_start


def test_a_start_of_its_own_is_tried_with_what_the_student_and_its_heirs_read(settings, checkpoint, monkeypatch):
    tried = []

    def stop_at_the_third(source, given):
        tried.append(given)
        if len(tried) == 3:
            raise UserError("enough")
        return "noted"

    monkeypatch.setattr(trial, "try_checkpoint", stop_at_the_third)
    own = f"students.other={{preset: own, start: {checkpoint}, view: document}}"
    heir = "students.heir={preset: 3L_trunc, layers: 2, source: other}"
    words = f"students.words={{preset: bag, start: {checkpoint}}}"
    with pytest.raises(UserError, match="enough"):
        execute_run(settings(own, heir, words), Reporter(), "report")
    teacher, student, bag = tried
    assert not bag.cuts and list(bag.views) == ["views.card"]
    assert list(teacher.cuts) == ["small"] and set(student.views) == {"views.document", "views.card"}
    assert {name: cut(4) for name, cut in student.cuts.items()} == {"other": [0, 1, 2, 3], "heir": [0, 1]}


def test_a_start_whose_width_does_not_divide_is_refused_before_anything_is_done(settings, tmp_path):
    kind = FAMILIES["BERT"]
    write_checkpoint(kind, TEXTS, tmp_path / "odd")
    path = tmp_path / "odd" / "config.json"
    path.write_text(path.read_text().replace('"num_attention_heads": 2', '"num_attention_heads": 3'))
    made = settings(f"students.small.start={tmp_path / 'odd'}")
    with pytest.raises(UserError, match=r"cannot load the model(?s:.*)multiple of the number of attention heads"):
        outlook(made)
