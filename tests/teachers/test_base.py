"""The embedded encoder as it is shipped."""

import re

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from distill.core.files import sha256
from distill.models.encoder import load_classifier
from teachers.embedded import local_folder

BASE = local_folder("base")


def test_it_loads_with_plain_transformers_and_has_the_promised_size():
    model = AutoModel.from_pretrained(BASE)
    assert model.dtype == torch.float32 and (BASE / "model.safetensors").stat().st_size <= 16e6
    config = model.config
    assert config.num_hidden_layers == 12 and 128 <= config.hidden_size <= 192 and config.vocab_size <= 12_000
    assert AutoTokenizer.from_pretrained(BASE).mask_token == "[MASK]"
    assert load_classifier(BASE, ["a", "b", "c"]).config.num_labels == 3


def test_its_card_tells_the_hashes_of_its_files_and_no_folder_of_a_machine():
    card = (BASE / "README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"\| `(\S+)` \| [\d,]+ \| `([0-9a-f]{64})` \|", card))
    assert len(named) == 4 and all(sha256(BASE / name) == digest for name, digest in named.items())
    assert not re.search(r"root: /", card)


@pytest.mark.parametrize("name", ["Borvik Nova 340", "дрель"])
def test_its_vocabulary_writes_what_it_reads(name):
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    assert tokenizer.unk_token_id not in tokenizer(name)["input_ids"]
