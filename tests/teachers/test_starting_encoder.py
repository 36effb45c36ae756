"""The untouched encoder that a teacher starts from."""

import shutil

import pytest

from distill.core.errors import UserError
from distill.core.files import sha256
from distill.core.progress import reporting
from distill.core.record_store import write_records
from distill.models.encoder import load_classifier
from teachers.config import FreshEncoder, TeacherConfig
from teachers.starting_encoder import _texts, prepare_checkpoint
from tests.training.toy import LABELS, Watch, same_weights, toy_records

FRESH = FreshEncoder(layers=2, width=16, heads=2, vocabulary=150)


def _config(**changes):
    return TeacherConfig.model_validate({"preset": "base", **({"fresh": FRESH} if not changes else changes)})


def test_fresh_encoder_is_made_from_the_records(records, tmp_path):
    watch = Watch()
    with reporting(watch):
        prepare_checkpoint(_config(), records, 3, tmp_path)
    model = load_classifier(tmp_path, LABELS)
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (2, 16)
    assert (tmp_path / "tokenizer.json").is_file() and "random weights" in watch.notes[0]


def test_seed_decides_the_bytes(records, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        prepare_checkpoint(_config(), records, seed, tmp_path / name)
    digests = [sha256(tmp_path / name / "model.safetensors") for name in "abc"]
    assert digests[0] == digests[1] != digests[2]
    assert sha256(tmp_path / "a" / "tokenizer.json") == sha256(tmp_path / "b" / "tokenizer.json")


def test_vocabulary_is_learnt_from_train_and_pool_never_from_tests(tmp_path):
    texts = {"train": "обучение", "pool.urls": "пруд", "valid": "проверка", "test.seen": "экзамен"}
    for split, text in texts.items():
        (row,) = toy_records("т", 1)
        row.fields["page.body"] = text
        write_records(tmp_path / f"{split}.parquet", [row])
    found = list(_texts(tmp_path))
    assert "обучение" in found and "пруд" in found and not {"проверка", "экзамен"} & set(found)
    assert found.index("обучение") < found.index("пруд")


def test_checkpoint_is_copied(encoder, records, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    watch = Watch()
    with reporting(watch):
        prepare_checkpoint(_config(checkpoint=str(encoder)), records, 3, folder)
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (folder / name).read_bytes() == (encoder / name).read_bytes()
    assert not watch.notes
    assert same_weights(load_classifier(folder, LABELS).base_model, load_classifier(encoder, LABELS).base_model)


@pytest.mark.parametrize("damage", ["pickled", "no tokenizer", "torn", "code"])
def test_unsafe_or_broken_checkpoints_are_refused(encoder, records, tmp_path, damage):
    source, folder = tmp_path / "source", tmp_path / "out"
    shutil.copytree(encoder, source)
    folder.mkdir()
    weights = source / "model.safetensors"
    if damage == "pickled":
        weights.rename(source / "pytorch_model.bin")
    elif damage == "no tokenizer":
        (source / "tokenizer.json").unlink()
    elif damage == "torn":
        weights.write_bytes(weights.read_bytes()[:-100])
    else:
        config = (source / "config.json").read_text()
        (source / "config.json").write_text(config.replace("{", '{"auto_map": {"AutoModel": "x.Y"},', 1))
    with pytest.raises(UserError):
        prepare_checkpoint(_config(checkpoint=str(source)), records, 3, folder)
    assert not list(folder.iterdir())


def test_unknown_folder_is_refused(records, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        prepare_checkpoint(_config(checkpoint=str(tmp_path / "absent")), records, 3, tmp_path)
