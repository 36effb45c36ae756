import importlib
import json

import huggingface_hub
import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer
from transformers.utils import import_utils

from distill.core.errors import UserError
from distill.models.fresh import Shape, make_encoder
from distill.models.pretrained import require_safe, resolve, save_tokenizer

TEXTS = ["дрель ударная 18 В", "шуруповёрт аккумуляторный", "cordless drill 18 V", "страница о йогурте"]


@pytest.fixture
def folder(tmp_path):
    make_encoder(TEXTS, tmp_path / "base", Shape(layers=1, width=8, heads=2, vocabulary=60), 1)
    return tmp_path / "base"


def test_local_folder_is_itself(folder):
    assert resolve(str(folder)) == folder


@pytest.mark.parametrize(
    "name", ["./absent", "/absent/model", "a/b/c", "~/absent-model", "модель", "models/", "{parent}/x"]
)
def test_missing_path_is_named_without_asking_the_hub(name, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(UserError, match="does not exist"):
        resolve(name.format(parent=tmp_path))


def test_file_is_not_a_checkpoint(folder):
    with pytest.raises(UserError, match="not a folder"):
        resolve(str(folder / "config.json"))


def test_hub_id_fetches_safe_files_only(folder, monkeypatch):
    asked = {}

    def download(hub_id, **options):
        asked.update(options, hub_id=hub_id)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert resolve("owner/name") == folder
    assert asked["hub_id"] == "owner/name" and asked["etag_timeout"] <= 10
    assert not any(pattern.endswith((".bin", ".py", ".pt")) or pattern == "*" for pattern in asked["allow_patterns"])


def test_a_revision_of_a_hub_id_may_be_named(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *id, **options: asked.append((*id, options)) or folder
    )
    assert resolve("owner/name@refs/pr/6") == folder
    assert asked[0][0] == "owner/name" and asked[0][1]["revision"] == "refs/pr/6"


def test_a_hub_id_with_pickled_weights_alone_is_told_what_to_name(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(UserError, match=r"no safetensors[\s\S]*revision main[\s\S]*owner/name@refs/pr/1"):
        resolve("owner/name")


def test_hub_id_without_network_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError) as caught:
        resolve("owner/name")
    assert "owner/name" in str(caught.value) and "give its folder" in str(caught.value)
    assert "hf download owner/name --local-dir FOLDER" in str(caught.value)
    assert caught.value.exit_code == 2


def test_whole_folder_is_safe(folder):
    require_safe(folder)


def test_missing_config(folder):
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match="config.json is missing"):
        require_safe(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_pickled_only_gets_the_conversion_command(folder, name):
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(UserError, match="save_pretrained") as caught:
        require_safe(folder)
    assert name in str(caught.value)


def test_pickled_weights_beside_safe_ones_are_ignored(folder):
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    require_safe(folder)


def test_no_weights(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no weights"):
        require_safe(folder)


@pytest.mark.parametrize("damage", [lambda data: data[:-10], lambda data: b"\xff" * 8 + data[8:], lambda data: b""])
def test_damaged_weights(folder, damage):
    path = folder / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match="damaged"):
        require_safe(folder)


def test_missing_shard(folder):
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="00002-of-00002"):
        require_safe(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_remote_code_is_refused(folder, name):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(UserError, match="code of its own"):
        require_safe(folder)


def test_an_adapter_beside_the_weights_is_refused(folder):
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"adapter[\s\S]*adapter_config\.json[\s\S]*folder of its own, or remove"):
        require_safe(folder)


def test_missing_tokenizer(folder):
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="no tokenizer"):
        require_safe(folder)


def test_tokenizer_is_copied(folder, tmp_path):
    save_tokenizer(folder, tmp_path / "out")
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    assert AutoTokenizer.from_pretrained(tmp_path / "out").encode("Дрель 18 В")[0] == 2


def test_vocabulary_is_converted(folder, tmp_path):
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)) + "\n")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    require_safe(folder)
    save_tokenizer(folder, tmp_path / "out")
    made = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert made.encode("drill", "18").tokens[0] == "[CLS]" and made.get_vocab() == vocabulary


@pytest.mark.parametrize("name", ["spm.model", "spiece.model", "tokenizer.model"])
def test_a_sentencepiece_model_alone_says_what_reads_it(name, folder, tmp_path, monkeypatch):
    (folder / "tokenizer.json").unlink()
    (folder / name).write_bytes(b"\n\x05\n\x03<s>")
    require_safe(folder)
    monkeypatch.setattr(import_utils, "is_sentencepiece_available", lambda: False)
    with pytest.raises(UserError, match="sentencepiece model alone") as caught:
        save_tokenizer(folder, tmp_path / "out")
    assert str(folder / name) in str(caught.value) and "pip install sentencepiece," in str(caught.value)
    assert "tiktoken" not in str(caught.value)


def test_a_file_of_tiktoken_is_not_taken_for_a_sentencepiece_model(folder, tmp_path, monkeypatch):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_text("IQ==\n")
    monkeypatch.setattr(import_utils, "is_sentencepiece_available", lambda: False)
    with pytest.raises(UserError, match=r"cannot convert the tokenizer"):
        save_tokenizer(folder, tmp_path / "out")


@pytest.mark.parametrize("charsmap", [b"", b"a map"])
def test_a_sentencepiece_model_is_converted_with_its_map_of_characters_or_not_at_all(
    charsmap, folder, tmp_path, monkeypatch
):
    """transformers 5's DeBERTa tokenizer leaves it out. The model's format is read without sentencepiece here."""
    monkeypatch.setattr(import_utils, "is_sentencepiece_available", lambda: True)
    reader = importlib.import_module("transformers.convert_slow_tokenizer")
    monkeypatch.setattr(reader, "requires_backends", lambda *_: None)
    model = reader.import_protobuf().ModelProto()
    for piece in ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "▁дрель", "▁", "д", "р"):
        model.pieces.add(piece=piece, score=0.0)
    model.trainer_spec.unk_id = 3
    model.normalizer_spec.precompiled_charsmap = charsmap
    (folder / "spm.model").write_bytes(model.SerializeToString())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "DebertaV2Tokenizer"}))
    (folder / "tokenizer.json").unlink()
    if not charsmap:
        save_tokenizer(folder, tmp_path / "out")
        made = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
        assert made.encode("дрель").tokens == ["[CLS]", "▁дрель", "[SEP]"]
        return
    with pytest.raises(UserError, match="map of characters") as caught:
        save_tokenizer(folder, tmp_path / "out")
    assert "transformers<5" in str(caught.value) and str(folder / "spm.model") in str(caught.value)
    assert not (tmp_path / "out" / "tokenizer.json").exists()


def _nameless_unknown(model):
    model["vocab"]["[OOV]"] = model["vocab"].pop("[UNK]")


def _unigram(model):
    model.update(type="Unigram", unk_id=None, vocab=[[token, -1.0] for token in model["vocab"]], byte_fallback=False)


@pytest.mark.parametrize("damage", [_nameless_unknown, _unigram])
def test_a_tokenizer_that_cannot_read_every_character_is_refused(damage, folder, tmp_path):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    damage(content["model"])
    content["added_tokens"] = [one for one in content["added_tokens"] if one["content"] != "[UNK]"]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"no token for characters[\s\S]*tokenizer\.json") as caught:
        save_tokenizer(folder, tmp_path / "out")
    assert caught.value.exit_code == 2


def test_broken_tokenizer_is_named(folder, tmp_path):
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="cannot read the tokenizer"):
        save_tokenizer(folder, tmp_path / "out")
