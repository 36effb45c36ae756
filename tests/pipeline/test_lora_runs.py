"""A run with adapters of an encoder and of a left-to-right model as teachers, and what of it is refused at once."""

from __future__ import annotations

import json

import pytest

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core.errors import UserError
from distill.core.progress import Reporter, reporting
from distill.core.soft_labels import read_soft_labels
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from tests.cli.planted_project import THINGS, read_rows, write_project

OFF = (
    "controls={card_teacher: false, gold_twins: false, random: false, tfidf: false}",
    "export=[]",
    "gates={retention_card: null, teacher_over_priors: null}",
)
SMALL = "{layers: 2, width: 16, heads: 2, vocabulary: 150}"
SHORT = "epochs: 1, batch_size: 8, precision: fp32, may_collapse: true, checkpoint: last, early_stopping: null"
TEACHERS = f"""teachers:
  base: {{preset: lora, weight: 0, checkpoint: null, fresh: {SMALL}, training: {{{SHORT}}}}}
  decoder: {{preset: qlora, checkpoint: CHECKPOINT, training: {{{SHORT}, accumulate: 2}}}}
students:
  small: {{preset: own, fresh: {SMALL}, training: {{{SHORT}}}}}
"""


class Noting(Reporter):
    """Notes lines."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora")
    config, checkpoint = write_project(folder), folder / "qwen2"
    texts = [row["page"]["title"] for row in read_rows(folder, "train")] + list(THINGS)
    write_checkpoint(FAMILIES["Qwen2"], texts, checkpoint)
    text = config.read_text(encoding="utf-8")
    start, end = text.index("teachers:"), text.index("export:")
    config.write_text(text[:start] + TEACHERS.replace("CHECKPOINT", str(checkpoint)) + text[end:], encoding="utf-8")
    return config


def test_both_are_measured_one_labels_and_the_report_says_what_could_not_be_had(config, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    run, watch = config.parent / "run", Noting()
    with reporting(watch):
        execute_run(resolve_settings(config, run, sets=OFF), watch, "evaluate")
    said = "trained without 4-bit weights (lora.four_bit): PyTorch finds no CUDA device"
    assert said in watch.notes
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    models = {one["name"]: (one["role"], one["preset"], one["layers"]) for one in report["models"]}
    assert models["base@document"] == ("teacher", "lora", 2) and models["decoder@document"] == ("teacher", "qlora", 4)
    assert models["small@card"] == ("student", "own", 2)
    assert len(read_soft_labels(run / "labels" / "decoder")) == 90 + 40
    fits = {one["model"]: one.get("remarks") for one in report["training_history"]}
    assert fits["decoder@document"] == [said] and fits["base@document"] is None
    assert f"T{said[1:]}: decoder@document" in (run / "report.html").read_text(encoding="utf-8")


def test_a_student_takes_no_layers_of_it_and_is_told_what_to_give(config, tmp_path):
    with pytest.raises(UserError, match="'decoder' is of the family lora_decoder, which has no layers.*start"):
        resolve_settings(config, tmp_path, sets=[*OFF, "students.small={preset: 3L, fresh: null}"])


def test_a_family_without_layers_is_told_what_of_the_recipe_to_remove(config, tmp_path):
    more = ["teachers.base.family=lstm", "teachers.base.training.lora={}"]
    with pytest.raises(UserError) as caught:
        resolve_settings(config, tmp_path, sets=[*OFF, *more, "teachers.base.training.gradient_checkpointing=true"])
    for key in ("head", "training.lora", "training.gradient_checkpointing"):
        assert f"teachers.base.{key}: the family lstm " in str(caught.value)


@pytest.mark.parametrize(
    ("sets", "where", "message"),
    [
        (["family=lora_decoder", "head=null"], "family", "no left-to-right model"),
        (["training.lora.modules=[qeury]"], "training.lora.modules", "no linear layers of this name"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_trained(config, tmp_path, sets, where, message):
    given = ["checkpoint=base", "fresh=null", *sets]
    settings = resolve_settings(config, tmp_path / "run", sets=[*OFF, *(f"teachers.base.{one}" for one in given)])
    with pytest.raises(UserError, match=message) as caught:
        execute_run(settings, Noting(), "teach")
    assert caught.value.where == f"teachers.base.{where}"
