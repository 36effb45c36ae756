"""Loss terms that compare the insides of two models are refused before anything is trained where that cannot be."""

from __future__ import annotations

import json

import pytest

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core.errors import UserError
from distill.core.progress import Reporter
from distill.pipeline.experiment import Experiment
from distill.pipeline.outlook import outlook
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from distill.pipeline.term_shapes import require_comparable
from tests.cli.planted_project import wrong_labels

TEXTS = ["дрель пила фреза лобзик", "купить дрель ремонт аналог"]
GATES_OFF = "gates={validation_rows: null, teacher_over_priors: null}"


def losses(terms):
    return f"students.small.losses={{gold: {{}}, {terms}}}"


@pytest.fixture
def settings(planted, tmp_path):
    """`settings(*sets)`: the planted project: a teacher of two layers of width 16 with two heads, a student of one."""
    return lambda *sets: resolve_settings(planted, tmp_path / "run", sets=[GATES_OFF, *sets])


@pytest.fixture
def checkpoint(tmp_path):
    """`checkpoint(family, name, texts, **settings)`: a folder of width 32 with two heads."""

    def make(family, name, texts=TEXTS, **changes):
        kind = FAMILIES[family]
        write_checkpoint(kind._replace(settings={**kind.settings, **changes}), texts, tmp_path / name)
        return tmp_path / name

    return make


REFUSED = {
    "value_relations: {relation_heads: 3}": r"students.small.losses.value_relations.relation_heads[\s\S]*3 heads, "
    "widths 16 and 16",
    "hidden_states: {layers: [[0, 5]]}": r"students.small.losses.hidden_states.layers[\s\S]*\[0, 5\] of 1 student's "
    "and 2 teacher's",
}


@pytest.mark.parametrize("terms", REFUSED)
@pytest.mark.parametrize("perform", [outlook, lambda found: execute_run(found, Reporter(), "train")])
def test_nothing_begins_where_sizes_cannot_be_compared(settings, terms, perform):
    found = settings(losses(terms))
    with pytest.raises(UserError, match=REFUSED[terms]):
        perform(found)
    assert not (found.run / "records").exists()


def test_a_verb_that_trains_no_student_is_not_held_up(settings):
    execute_run(settings(losses("value_relations: {relation_heads: 3}")), Reporter(), "audit")


@pytest.mark.parametrize("terms", ["value_relations: {relation_heads: 8}", "attention: {}", "hidden_states: {}"])
def test_what_can_be_compared_passes(settings, terms):
    require_comparable(Experiment(settings(losses(terms))))


def test_a_schedule_of_tokens_cannot_be_compared_token_by_token(settings):
    with pytest.raises(UserError, match=r"the student's layers read several as one[\s\S]*token_schedule"):
        require_comparable(Experiment(settings(losses("attention: {}"), "students.small.token_schedule=[2]")))


def test_heads_are_read_of_a_checkpoint_whatever_its_family_calls_them(settings, checkpoint):
    folder = checkpoint("DistilBERT", "teacher", n_heads=4)
    start = checkpoint("BERT", "start")
    (start / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    given = [f"teachers.base.checkpoint={folder}", "teachers.base.fresh=null", f"students.small.start={start}"]
    with pytest.raises(UserError, match=r"other numbers of heads[\s\S]*2 and 4"):
        require_comparable(Experiment(settings(losses("attention: {}"), *given)))


def test_another_tokenizer_is_told_before_the_teacher_is_trained(settings, checkpoint):
    folder, start = checkpoint("BERT", "teacher"), checkpoint("BERT", "start", ["совсем другие слова"])
    given = [f"teachers.base.checkpoint={folder}", "teachers.base.fresh=null", f"students.small.start={start}"]
    with pytest.raises(UserError, match=r"another tokenizer[\s\S]*hidden_states: 'base' of .*teacher, 'small' of"):
        require_comparable(Experiment(settings(losses("hidden_states: {}"), *given)))
    first = "hidden_states: {tokens: first, view: document}"
    require_comparable(Experiment(settings(losses(first), *given)))


def test_of_labels_made_elsewhere_there_is_no_model_to_read(settings, planted, tmp_path):
    labels = wrong_labels(planted.parent)
    found = settings(losses("hidden_states: {}"), f"teachers.base.labels={labels}", "labels=document")
    with pytest.raises(UserError, match=r"only its labels are here[\s\S]*learns_from"):
        require_comparable(Experiment(found))


def test_what_is_not_known_yet_is_left_to_the_fit(settings, checkpoint):
    folder = checkpoint("BERT", "teacher")
    config = json.loads((folder / "config.json").read_text())
    del config["num_attention_heads"]
    (folder / "config.json").write_text(json.dumps(config))
    given = [f"teachers.base.checkpoint={folder}", "teachers.base.fresh=null"]
    require_comparable(Experiment(settings(losses("value_relations: {relation_heads: 3}"), *given)))
