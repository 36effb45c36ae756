"""A model's folder opened by `transformers.pipeline`: its labels, its cut and both its sides, of records that break
pipelines; tests/cli/test_clients_of_a_run.py has the same of a whole run, with the bundle's temperature."""

import json
import shutil

import numpy as np
import pytest
from transformers import pipeline

from distill.core.tokenizer_settings import write_settings
from distill.core.view import View
from distill.families.encoder import Encoder
from distill.families.family import Opening
from distill.models.encoder import input_names, load_classifier
from export.golden import synthetic_records
from tests.export.conftest import FAMILIES, LABELS


@pytest.fixture(scope="module")
def student(model_folder, tmp_path_factory):
    """`student(family)`: a finished model's folder, with what it tells clients."""
    made = {}

    def get(family):
        if family not in made:
            folder = shutil.copytree(model_folder(family), tmp_path_factory.mktemp(family) / "student")
            (folder / "tokenizer_config.json").write_text('{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}')
            write_settings(View.load(folder), folder, input_names(load_classifier(folder)))
            made[family] = folder
        return made[family]

    return get


def asked(folder, records, **options):
    """What pipeline says of records: rendered as the view says, and given as lists, so that an empty side is one."""
    texts = View.load(folder).renderer()
    classify = pipeline("text-classification", model=str(folder), truncation=True, top_k=None, **options)
    sides = [texts.text(record) for record in records]
    return [{one["label"]: one["score"] for one in classify({"text": [a], "text_pair": [b]})} for a, b in sides]


def records_of(folder):
    return [item["record"] for item in synthetic_records(View.load(folder).content)]


def logits_of(folder, records):
    said = asked(folder, records, function_to_apply="none")
    return np.array([[one[label] for label in LABELS] for one in said])


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_labels_are_the_models(student, family):
    folder = student(family)
    records = records_of(folder)
    own = Encoder().open(folder, Opening(threads=1)).score(records).logits
    np.testing.assert_allclose(logits_of(folder, records), own, atol=1e-5)
    said = asked(folder, records[:9])
    assert [max(one, key=one.get) for one in said] == [LABELS[int(row.argmax())] for row in own[:9]]


@pytest.mark.parametrize("key", ["model_input_names", "model_max_length", "tokenizer_class"])
def test_without_any_of_what_it_is_told_it_answers_otherwise(student, tmp_path, key):
    folder = shutil.copytree(student("bert"), tmp_path / "student")
    records = records_of(folder)
    told = json.loads((folder / "tokenizer_config.json").read_bytes())
    plain = {"model_max_length": 48, "tokenizer_class": "BertTokenizer"}
    changed = {**told, **({key: plain[key]} if key in plain else {})}
    if key not in plain:
        del changed[key]
    (folder / "tokenizer_config.json").write_text(json.dumps(changed))
    assert np.abs(logits_of(folder, records) - logits_of(student("bert"), records)).max() > 1e-3


def test_it_is_told_the_length_of_the_view_and_keeps_what_a_checkpoint_said(student):
    folder = student("distilbert")
    told = json.loads((folder / "tokenizer_config.json").read_bytes())
    assert told["model_max_length"] == 40 and told["truncation_side"] == told["padding_side"] == "right"
    assert told["model_input_names"] == ["input_ids", "attention_mask"] and told["do_lower_case"] is True
    assert json.loads((folder / "sentence_bert_config.json").read_bytes())["max_seq_length"] == 40
