"""A left-to-right model as a teacher: padding, the two sides, what it is trained with, and what it cannot do."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core.errors import UserError
from distill.core.record_store import read_records
from distill.core.view import View
from distill.families.family import family, family_of, fit
from distill.models.encoder import load_classifier
from distill.pipeline.entries import teacher_entry
from distill.training.adapters import Adapters
from distill.training.altered_rows import Alteration
from distill.training.config import AlterConfig
from teachers.starting_encoder import adopt_checkpoint
from tests.families.lessons import toy_lesson
from tests.training.toy import LABELS, toy_records

QUICK = {
    **{"epochs": 1.5, "evaluate_steps": 2, "early_stopping": None, "learning_rate": 1e-2, "batch_size": 4},
    **{"accumulate": 2, "precision": "fp32", "may_collapse": True, "lora": {"r": 4, "alpha": 8, "modules": "all"}},
}


def decoder(name, folder):
    texts = [text for record in toy_records("т", 60) for text in record.fields.values()]
    (folder / "given").mkdir(parents=True)
    write_checkpoint(FAMILIES[name], texts, folder / "given")
    adopt_checkpoint(str(folder / "given"), folder)
    return folder


@pytest.fixture(scope="module", params=["Qwen2", "Llama"])
def teacher(request, records, tmp_path_factory):
    """A tiny decoder, and the teacher that was made of it by adapters."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("decoder")
    decoder(request.param, source / "checkpoint")
    entry = teacher_entry("lora_decoder", {"training": QUICK}, "test", folder)
    fit("lora_decoder", entry, toy_lesson(records, source=source / "checkpoint"), folder)
    return source / "checkpoint", folder


def test_its_folder_is_a_plain_model_with_a_padding_token_of_its_own_family(teacher):
    source, folder = teacher
    stored = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert stored["pad_token_id"] == 0 and stored["distill"] == {"family": "lora_decoder", "view": "card"}
    given = json.loads((source / "given" / "config.json").read_text(encoding="utf-8"))
    assert given.get("pad_token_id") is None
    assert family_of(folder).name == "lora_decoder" and family_of(folder).facts(folder).layers == 4
    assert not family("lora_decoder").exports and not family("lora_decoder").layered
    with safe_open(folder / "adapters" / "adapter_model.safetensors", framework="np") as adapters:
        assert any("score" in name for name in adapters.keys())


def test_a_row_reads_the_same_alone_and_padded(teacher, records):
    few = [row.fields for row in read_records(records, "train")][:12]
    rows = [{**row, "page.title": row["page.title"] + " пила" * (number % 5)} for number, row in enumerate(few)]
    scorer = family_of(teacher[1]).open(teacher[1])
    assert len({row.read_tokens for row in scorer.prepare(rows)}) > 3
    together, alone = scorer.score(rows).logits, [scorer.score([row]).logits[0] for row in rows]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_sides_are_parted_by_the_views_separator(teacher, records):
    source, folder = teacher
    row = read_records(records, "train")[0].fields
    reading, bare = (
        View.load(folder).renderer(),
        View("card", View.load(folder).config, source / "tokenizer.json").renderer(),
    )
    left, right = reading.text(row)
    assert reading.tokenizer.decode(reading.encode(row).windows[0].ids) == f"{left} | {right}"
    assert bare.tokenizer.decode(bare.encode(row).windows[0].ids) == f"{left}{right}"
    with pytest.raises(UserError, match="no token between the sides"):
        Alteration.of(AlterConfig(word_dropout=0.1), reading)


def test_a_part_of_an_epoch_counts_and_its_end_is_evaluated(teacher):
    history = json.loads((teacher[1] / "training_history.json").read_text(encoding="utf-8"))
    assert history["steps"] == 5 and [one["step"] for one in history["history"]] == [2, 4, 5]  # 24 rows, 8 of a step


def test_an_encoder_is_refused(encoder):
    with pytest.raises(UserError, match="no left-to-right model[\\s\\S]*'bert'[\\s\\S]*family encoder"):
        family("lora_decoder").require(load_classifier(encoder, LABELS))


@pytest.mark.gpu
def test_on_cuda_its_weights_are_kept_in_four_bits_and_merged_whole(records, tmp_path, monkeypatch):
    kept, wide = [], FAMILIES["Qwen2"]
    monkeypatch.setitem(FAMILIES, "Qwen2", wide._replace(settings={**wide.settings, "hidden_size": 128}))
    source, folder = decoder("Qwen2", tmp_path / "checkpoint"), tmp_path / "decoder"
    folder.mkdir()
    whole = Adapters.__init__

    def noted(self, model, config):
        whole(self, model, config)
        kept.append(sum(type(module).__name__ == "Linear4bit" for module in model.modules()))

    monkeypatch.setattr(Adapters, "__init__", noted)
    recipe = {**QUICK, "lora": {"r": 4, "alpha": 8, "modules": "all", "four_bit": True}}
    entry = teacher_entry("qlora", {"training": recipe}, "test", folder)
    fit("lora_decoder", entry, toy_lesson(records, source=source), folder)
    assert kept == [4 * 7, 0] and "remarks" not in json.loads((folder / "training_history.json").read_text())
    table = "model.embed_tokens.weight"
    assert torch.equal(load_classifier(folder).state_dict()[table], load_classifier(source, LABELS).state_dict()[table])
