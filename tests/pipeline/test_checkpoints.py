"""Checkpoints of a project are tried before its first step, with what its models will ask of them."""

import json
from dataclasses import replace
from types import SimpleNamespace

import huggingface_hub
import pytest

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core import protobuf
from distill.core.errors import UserError
from distill.core.progress import Reporter, reporting
from distill.families.frozen_mlp import MlpOnFrozen
from distill.inference import trial
from distill.models.encoder import load_classifier
from distill.pipeline import checkpoint_checks, checkpoints
from distill.pipeline.checkpoint_checks import _family_checks
from distill.pipeline.experiment import Experiment
from distill.pipeline.outlook import outlook
from distill.pipeline.plan import planned
from distill.pipeline.pretrain import pretrain
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings

LABELS = ["мимо", "рядом", "точно"]
GATES_OFF = "gates={validation_rows: null, teacher_over_priors: null}"
TEXTS = ["дрель пила фреза лобзик", "купить дрель ремонт аналог", "рубанок ключ насос 750 Вт"]


class Noting(Reporter):
    """Notes lines and steps."""

    def __init__(self):
        self.notes, self.made = [], []

    def note(self, text):
        self.notes.append(text)

    def step_ends(self, name, status, seconds):
        self.made.append(name)


class Asked(Exception):
    """Carries what a checkpoint was to be tried with."""


@pytest.fixture
def make(planted, tmp_path):
    """`make(family, *sets, **settings)`: the planted project, whose teacher starts from such a checkpoint."""

    def settings(family, *sets, entry="checkpoint", **changes):
        kind = FAMILIES[family]
        write_checkpoint(kind._replace(settings={**kind.settings, **changes}), TEXTS, tmp_path / "checkpoint")
        given = [f"teachers.base.{entry}={tmp_path / 'checkpoint'}", "teachers.base.fresh=null", GATES_OFF, *sets]
        return resolve_settings(planted, tmp_path / "run", sets=given)

    return settings


@pytest.fixture
def asked(monkeypatch):
    """`asked(settings, until)`: the trial of the first checkpoint, which is not performed."""

    def catch(source, given):
        raise Asked(given)

    def get(settings, until="report"):
        monkeypatch.setattr(trial, "try_checkpoint", catch)
        with pytest.raises(Asked) as caught:
            execute_run(settings, Reporter(), until)
        return caught.value.args[0]

    return get


@pytest.mark.parametrize("until", ["train", "export", "report"])
def test_nothing_begins_with_a_checkpoint_that_will_not_do(until, make):
    settings, watch = make("ALBERT"), Noting()
    with pytest.raises(UserError, match="cannot be cut to the layers of 'small'"):
        execute_run(settings, watch, until)
    assert not watch.made and not (settings.run / "run.json").exists()


def test_a_dry_run_tries_too(make):
    with pytest.raises(UserError, match="depends on what shares its batch"):
        outlook(make("FNet"))
    watch = Noting()
    with reporting(watch):
        assert outlook(make("DistilBERT")).plans
    assert watch.notes[0].startswith("tried teachers.base: distilbert, 4 layers, 64 positions, ")


def test_one_line_says_what_was_tried_and_a_made_model_is_not_tried_again(make, monkeypatch):
    settings, watch = make("GPT-2"), Noting()
    execute_run(settings, watch, "teach")
    (line,) = [note for note in watch.notes if note.startswith("tried")]
    assert "teachers.base: gpt2, 4 layers" in line and "padding '<|endoftext|>'" in line and line.endswith(" s")
    monkeypatch.setattr(trial, "try_checkpoint", lambda *_: pytest.fail("tried again"))
    execute_run(settings, Noting(), "teach")
    with pytest.raises(pytest.fail.Exception, match="tried again"):
        execute_run(settings, Noting(), "train")


@pytest.mark.parametrize(("only", "tried"), [("words", []), ("far", ["far"]), (None, ["base", "far"])])
def test_of_a_run_for_one_model_only_its_own_checkpoint_is_tried(planted, tmp_path, monkeypatch, only, tried):
    far = "{preset: base, fresh: null, checkpoint: nowhere, weight: 0}"
    sets = [f"teachers.far={far}", "teachers.words={preset: words, weight: 0}"]
    sets += ["teachers.base.fresh=null", "teachers.base.checkpoint=nowhere"]
    settings = resolve_settings(planted, tmp_path / "run", sets=sets)
    experiment, asked = Experiment(replace(settings, only=only)), []
    monkeypatch.setattr(checkpoints, "_try_start", lambda _, name, *__: asked.append(name))
    nothing_made = SimpleNamespace(is_done=lambda step: False)
    checkpoints.try_checkpoints(experiment, planned(experiment, "evaluate"), nothing_made)
    assert asked == tried


def test_an_audit_tries_nothing(make):
    execute_run(make("FNet"), Noting(), "audit")


def test_students_are_cut_as_they_and_their_assistants_say(make, asked):
    small = "small: {preset: 3L, layers: 2, source: big}, own: {preset: 3L_trunc, layers: 2}"
    students = f"students={{big: {{preset: 4L, layers: 3}}, {small}}}"
    given = asked(make("BERT", students))
    assert {name: cut(6) for name, cut in given.cuts.items()} == {"big": [0, 3, 5], "small": [0, 5], "own": [0, 1]}
    with pytest.raises(UserError, match="the model has more layers than its source"):
        given.cuts["big"](2)
    assert not asked(make("BERT", students), "label").cuts


def test_all_views_that_are_read_are_tried(make, asked):
    sets = ["views.long={left: [page.body], max_tokens: 40}", "students.small.view=long"]
    assert list(asked(make("BERT", *sets)).views) == ["views.document", "views.long", "views.card"]
    assert list(asked(make("BERT", *sets), "label").views) == ["views.document", "views.card"]
    off = "controls={card_teacher: false}"
    assert list(asked(make("BERT", off), "label").views) == ["views.document"]


def test_of_labels_made_elsewhere_only_what_students_read_is_tried(make, asked, tmp_path):
    (tmp_path / "labels.jsonl").write_text("{}\n")
    settings = make("BERT", f"teachers.base.labels={tmp_path / 'labels.jsonl'}")
    assert list(asked(settings).views) == ["views.card"]


def test_targets_are_asked_where_something_is_exported(make, asked):
    kept = "teachers.base.export=false"
    train, export = (len(asked(make("BERT", kept), until).require) for until in ("train", "export"))
    assert export == train + 1 and len(asked(make("BERT"), "export").require) == export + 1  # and the teacher's size


@pytest.mark.parametrize("family", ["GPT-2", "DeBERTa v3"])
def test_a_target_that_trains_is_asked_where_it_is_named_for_students_that_start_there(make, asked, family):
    def check(given):
        for one in given.require:
            one(load_classifier(source, LABELS))

    source, export = make(family, "teachers.base.export=false").run.parent / "checkpoint", "export=[onnx, {}]"
    check(asked(make(family, "teachers.base.export=false", export.format("onnx-int8"))))
    named = export.format("onnx-int8-qat")
    with pytest.raises(UserError, match="not there for this family") as caught:
        check(asked(make(family, "teachers.base.export=false", named)))
    assert caught.value.where == "export: onnx-int8-qat"
    elsewhere = f"students.small.start={source}"
    check(asked(make(family, "teachers.base.export=false", named, elsewhere)))


def test_a_teacher_over_the_size_of_a_file_is_told_how_to_leave_it_out(make, monkeypatch):
    monkeypatch.setattr(protobuf, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match="too large for one ONNX file") as caught:
        execute_run(make("BERT"), Noting(), "export")
    assert caught.value.where == "teachers.base.export"


def test_a_preset_from_the_hub_names_its_key_without_a_network(planted, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    settings = resolve_settings(planted, tmp_path / "run", teachers=["rubert_base"])
    with pytest.raises(UserError, match="hf download ai-forever/ruBert-base --revision refs/pr/6") as caught:
        execute_run(settings, Noting(), "teach")
    assert caught.value.where == "teachers.rubert_base.checkpoint: ai-forever/ruBert-base@refs/pr/6"


def test_a_family_that_cannot_be_exported_is_refused_where_it_would_be(make):
    with pytest.raises(UserError, match="ONNX exporter cannot export"):
        execute_run(make("Longformer"), Noting(), "report")


@pytest.mark.parametrize(
    ("family", "recipe", "message", "where"),
    [
        ("ALBERT", "optimiser: muon", "muon cannot train this encoder", "optimiser"),
        ("ALBERT", "layer_decay: 0.9", "layer_decay cannot train this encoder", "layer_decay"),
        ("GPT-2", "head_dropout: 0.1", "head of this encoder has no dropout", "head_dropout"),
    ],
)
def test_a_recipe_that_an_encoder_has_no_place_for_is_refused_before_the_first_step(
    family, recipe, message, where, make
):
    watch = Noting()
    with pytest.raises(UserError, match=message) as caught:
        execute_run(make(family, f"teachers.base.training={{{recipe}}}"), watch, "teach")
    assert caught.value.where == f"teachers.base.training.{where}" and not watch.made


def test_a_students_recipe_is_tried_too(make):
    settings = make("GPT-2", "students.small.training.head_dropout=0.1")
    execute_run(settings, Noting(), "audit")
    with pytest.raises(UserError, match="no dropout") as caught:
        execute_run(settings, Noting(), "train")
    assert caught.value.where == "students.small.training.head_dropout"


@pytest.mark.parametrize("source", ["", ", source: base"])
def test_what_a_family_of_students_asks_is_tried_too(make, monkeypatch, source):
    def refuse(self, model):
        raise UserError("no such encoder", where="family")

    monkeypatch.setattr(MlpOnFrozen, "require", refuse)
    settings = make("BERT", f"students.over={{preset: mlp{source}}}")
    execute_run(settings, Noting(), "audit")
    with pytest.raises(UserError, match="no such encoder") as caught:
        execute_run(settings, Noting(), "train")
    assert caught.value.where == "students.over.family"


@pytest.mark.parametrize(
    ("family", "student", "key"),
    [
        ("DeBERTa v1", "losses={attention_relations: {}}", "losses"),
        ("DeBERTa v1", "token_schedule=[2]", "token_schedule"),
    ],
)
def test_what_a_student_reads_or_changes_inside_an_encoder_is_known_of_its_family(make, family, student, key):
    watch = Noting()
    with pytest.raises(UserError, match="model_type 'deberta'") as caught:
        execute_run(make(family, f"students.small.{student}"), watch, "train")
    assert caught.value.where == f"students.small.{key}" and not [name for name in watch.made if "teach" in name]
    plain = make(family, "students.small.losses={gold: {}, hidden_states: {}}")
    assert not list(_family_checks({"small": [plain.students["small"]]}))


@pytest.mark.parametrize("family", ["RoFormer", "DistilBERT", "BERT"])
def test_whether_a_teacher_can_label_without_padding_is_tried(make, asked, family):
    checks = asked(make(family, "teachers.base.labelling.unpadded=true"), "teach").require
    (check,) = [one for one in checks if one.func is checkpoint_checks._require_unpadded]
    model = load_classifier(make(family).run.parent / "checkpoint", LABELS)
    if family == "BERT":
        check(model)
        return
    with pytest.raises(UserError, match="cannot be read without padding") as caught:
        check(model)
    assert caught.value.where == "teachers.base.labelling.unpadded"


def test_random_weights_have_positions_too(planted, tmp_path):
    settings = resolve_settings(planted, tmp_path / "run", sets=["views.card.max_tokens=513"])
    with pytest.raises(UserError, match="max_tokens 513, the encoder has 512 positions"):
        execute_run(settings, Noting(), "teach")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["BertModel"]}, "no classification head"),
        ({"id2label": {"1": "мимо", "2": "рядом", "3": "точно"}}, "not numbered from 0"),
        ({"id2label": {"0": "x", "1": "y", "2": "z"}}, "trained for other labels"),
        ({"id2label": {"0": "мимо", "1": "рядом", "2": "точно"}}, "lacks weights of its classifier"),
    ],
)
def test_a_finished_teacher_is_checked_before_the_first_step(changes, message, make, tmp_path):
    settings = make("BERT", entry="finished")
    path = tmp_path / "checkpoint" / "config.json"
    classifier = {"architectures": ["BertForSequenceClassification"]}
    path.write_text(json.dumps({**json.loads(path.read_text()), **classifier, **changes}))
    with pytest.raises(UserError, match=message):
        execute_run(settings, Noting(), "label")
    assert not (settings.run / "run.json").exists()


def test_nameless_classes_of_a_finished_teacher_are_told(make, tmp_path):
    settings, watch = make("BERT", entry="finished"), Noting()
    load_classifier(tmp_path / "checkpoint", [f"LABEL_{index}" for index in range(3)]).save_pretrained(
        tmp_path / "checkpoint"
    )
    execute_run(settings, watch, "teach")
    told = "have no names; they are taken for мимо, рядом, точно, in this order (task.labels)"
    assert [line for line in watch.notes if told in line and line.startswith("teachers.base: ")]


def test_a_view_longer_than_random_weights_have_positions_is_not_pre_trained_on(make):
    settings = make("BERT", "views.document.max_tokens=513")
    with pytest.raises(UserError, match="max_tokens 513, the encoder has 512 positions") as caught:
        pretrain(settings, None, Noting())
    assert caught.value.where == "views.document.max_tokens" and not (settings.run / "run.json").exists()


def test_an_encoder_to_pre_train_is_tried(make, tmp_path):
    settings = make("BERT", max_position_embeddings=20)
    with pytest.raises(UserError, match="the encoder has 20 positions") as caught:
        pretrain(settings, str(tmp_path / "checkpoint"), Noting())
    assert caught.value.where == "views.document.max_tokens"
