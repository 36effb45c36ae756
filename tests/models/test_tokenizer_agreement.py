import json

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from distill.core.errors import UserError
from distill.core.progress import reporting
from distill.models import tokenizer_agreement
from distill.models.fresh import Shape, make_encoder
from distill.models.pretrained import copy_tokenizer, save_tokenizer
from tests.training.toy import Watch

TEXTS = ["дрель ударная 18 В", "Дрель Ударная", "ДРЕЛЬ", "cordless drill 18 V", "Cordless Drill", "кафе café"]


@pytest.fixture
def make_folder(tmp_path):
    """`make_folder(file, settings)`: a BERT whose tokenizer.json has the normaliser `file`, and its settings."""

    def make(file, settings):
        make_encoder(TEXTS, tmp_path / "model", Shape(layers=1, width=8, heads=2, vocabulary=120), 1)
        path = tmp_path / "model" / "tokenizer.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content["normalizer"].update(type="BertNormalizer", clean_text=True, handle_chinese_chars=True, **file)
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        (tmp_path / "model" / "tokenizer_config.json").write_text(
            json.dumps({"tokenizer_class": "BertTokenizer", **settings})
        )
        return tmp_path / "model"

    return make


CASED, LOWER = {"lowercase": False, "strip_accents": False}, {"lowercase": True, "strip_accents": False}
CONTRADICTIONS = [
    (CASED, {"do_lower_case": True, "strip_accents": False}),
    (LOWER, {"do_lower_case": False, "strip_accents": False}),
    (LOWER, {"do_lower_case": True, "strip_accents": True}),
]


@pytest.mark.parametrize(("file", "settings"), CONTRADICTIONS)
def test_where_the_files_disagree_ids_are_those_of_transformers(file, settings, make_folder, tmp_path):
    folder, watch = make_folder(file, settings), Watch()
    with reporting(watch):
        save_tokenizer(folder, tmp_path / "out")
    made, python = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json")), AutoTokenizer.from_pretrained(folder)
    stored = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert all(made.encode(text, "дрель").ids == python(text, "дрель")["input_ids"] for text in TEXTS)
    assert any(stored.encode(text).ids != made.encode(text).ids for text in TEXTS)
    (note,) = watch.notes
    assert "tokenizer.json" in note and "BertTokenizer (tokenizer_config.json)" in note
    again = tmp_path / "again"
    save_tokenizer(tmp_path / "out", again)
    assert (again / "tokenizer.json").read_bytes() == (tmp_path / "out" / "tokenizer.json").read_bytes()


def test_files_that_agree_are_copied_without_a_word(make_folder, tmp_path):
    folder, watch = make_folder(LOWER, {"do_lower_case": True, "strip_accents": False}), Watch()
    with reporting(watch):
        save_tokenizer(folder, tmp_path / "out")
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    assert not watch.notes


def _added_tokens_json(token, number):
    return "added_tokens.json", {token: number}


def _added_tokens_decoder(token, number):
    flags = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    added = {"added_tokens_decoder": {number: {"content": token, **flags}}}
    return "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **added}


@pytest.mark.parametrize("stored", [_added_tokens_json, _added_tokens_decoder])
def test_a_token_that_another_file_adds_is_read_as_one(stored, make_folder, tmp_path):
    folder, watch = make_folder(LOWER, {"do_lower_case": True, "strip_accents": False}), Watch()
    size = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    name, content = stored("[COL]", size)
    (folder / name).write_text(json.dumps(content))
    with reporting(watch):
        save_tokenizer(folder, tmp_path / "out")
    made = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json")).encode("[COL] дрель").ids
    assert size in made and made == AutoTokenizer.from_pretrained(folder)("[COL] дрель")["input_ids"]
    assert "differ on 'a [COL] b'" in watch.notes[0]


def test_a_model_of_a_run_keeps_the_tokenizer_that_it_was_trained_with(make_folder, tmp_path):
    folder = make_folder(*CONTRADICTIONS[0])
    copy_tokenizer(folder, tmp_path / "copied")
    (folder / "view.json").write_text("{}")
    save_tokenizer(folder, tmp_path / "saved")
    for name in ("copied", "saved"):
        assert (tmp_path / name / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


def test_a_python_tokenizer_without_a_file_of_its_own_is_refused(make_folder, tmp_path, monkeypatch):
    class Slow:
        def __call__(self, text, right=None):
            return {"input_ids": [0]}

        def get_added_vocab(self):
            return {}

    monkeypatch.setattr(tokenizer_agreement, "_python_tokenizer", lambda folder: Slow())
    with pytest.raises(UserError, match="disagree") as caught:
        save_tokenizer(make_folder(LOWER, {}), tmp_path / "out")
    assert "tokenizer.json and transformers' Slow" in str(caught.value)


def test_a_tokenizer_that_transformers_cannot_load_is_taken_as_it_is(make_folder, tmp_path):
    folder = make_folder(LOWER, {"tokenizer_class": "NobodysTokenizer", "do_lower_case": False})
    (folder / "config.json").write_text("{}")
    save_tokenizer(folder, tmp_path / "out")
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


def _own_normalizer(content):
    """As of DeBERTa v3 or a file that reads ё as е: parts that transformers' class does not build."""
    replace = {"type": "Replace", "pattern": {"String": "ё"}, "content": "е"}
    content["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}, replace]}


def _own_pre_tokenizer(content):
    content["pre_tokenizer"] = {"type": "WhitespaceSplit"}


def _own_limit(content):
    content["model"]["max_input_chars_per_word"] = 3


OWN_PARTS = [
    ("BertTokenizer", _own_normalizer, "normalizer", None),
    ("BertTokenizerFast", _own_pre_tokenizer, "pre-tokenizer", "[COL]"),
    ("BertTokenizer", _own_limit, "model", None),
    ("RobertaTokenizerFast", lambda content: None, "model, normalizer, pre-tokenizer", "[COL]"),
]


@pytest.mark.parametrize(("kind", "change", "part", "added"), OWN_PARTS)
def test_a_file_with_parts_that_its_class_has_not_is_kept(kind, change, part, added, make_folder, tmp_path):
    """transformers 4 took them from the file; transformers 5 builds its class's own. Added tokens come in both."""
    names = {"unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]", "cls_token": "[CLS]"}
    rest = {"sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]", "do_lower_case": True}
    folder, watch = make_folder(LOWER, {"tokenizer_class": kind, "strip_accents": False, **names, **rest}), Watch()
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    change(content)
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    stored = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if added:
        (folder / "added_tokens.json").write_text(json.dumps({added: stored.get_vocab_size()}))
    with reporting(watch):
        save_tokenizer(folder, tmp_path / "out")
    made = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    python = AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in (*TEXTS, "Ёлка ёлка", "bosch-drill, m²"):
        assert stored.encode(text, "дрель").ids == made.encode(text, "дрель").ids == python(text, "дрель")["input_ids"]
    assert f"tokenizer.json is kept: the other has its own {part}" in watch.notes[0]
    if added:
        assert made.encode(added, add_special_tokens=False).ids == [stored.get_vocab_size()]
    else:
        assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
