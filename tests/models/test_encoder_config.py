import pytest
import transformers as hf

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.models.encoder import labels_of, load_classifier
from distill.models.encoder_config import read_config, require_labels, settle_padding, stored_labels
from distill.models.fresh import train_wordpiece
from tests.models.folders import LABELS, edit_config


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"0": "x", "1": "y"}, ["x", "y"]),
        ({"1": "y", "0": "x"}, ["x", "y"]),
        ({"0": 5, "1": 7}, ["5", "7"]),
        (["x", "y"], ["x", "y"]),
        ("absent", ["LABEL_0", "LABEL_1"]),
        (None, ["LABEL_0", "LABEL_1"]),
        ({"1": "x", "2": "y"}, None),
        ({"0": "x", "2": "y"}, None),
        ({"x": 0, "y": 1}, None),
        ({"LABEL_0": "x", "LABEL_1": "y"}, None),
        ({}, None),
        ([], None),
        ({"0": ["x"]}, None),
        ("x, y", None),
    ],
)
def test_class_names_of_any_form(names, expected, saved):
    edit_config(saved, id2label=names, label2id="absent", num_labels="absent")
    assert stored_labels(saved) == expected
    assert labels_of(load_classifier(saved, LABELS)) == LABELS
    if expected is None:
        with pytest.raises(UserError, match="not numbered from 0") as caught:
            load_classifier(saved)
        assert str(names) in str(caught.value)
    else:
        require_labels(saved)


def test_a_head_is_kept_whatever_its_classes_are_called(saved):
    before = load_classifier(saved, LABELS).classifier.weight
    edit_config(saved, id2label={"1": "x", "2": "y", "3": "z"}, label2id={"x": 1, "y": 2, "z": 3})
    assert (load_classifier(saved, LABELS).classifier.weight == before).all()


@pytest.mark.parametrize("names", [LABELS, "absent"])
def test_a_forward_pass_gives_logits_whatever_the_checkpoint_gave(names, saved, make_inputs):
    """With and without names of classes a config is read in two ways."""
    given = {} if names == "absent" else {"id2label": dict(enumerate(names)), "label2id": "absent"}
    edit_config(saved, output_hidden_states=True, output_attentions=True, return_dict=False, **given)
    assert list(load_classifier(saved, LABELS)(**make_inputs([3]))) == ["logits"]


def test_a_decoder_gives_logits_alone_too(tmp_path, make_inputs):
    hf.GPT2Model(hf.GPT2Config(vocab_size=60, n_embd=8, n_head=2, n_layer=1, eos_token_id=2)).save_pretrained(tmp_path)
    assert list(load_classifier(tmp_path, LABELS)(**make_inputs([3]))) == ["logits"]


@pytest.mark.parametrize("kind", ["BartConfig", "T5Config"])
def test_encoder_decoders_are_refused(kind, tmp_path):
    getattr(hf, kind)().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="encoder-decoder"):
        read_config(tmp_path)


@pytest.mark.parametrize("kind", ["Gemma3Config", "Qwen3_5Config", "ModernVBertConfig"])
def test_models_of_texts_and_pictures_are_told_how_to_save_the_text_model(kind, tmp_path):
    getattr(hf, kind)().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="reads more than texts") as caught:
        read_config(tmp_path)
    assert caught.value.exit_code == 2 and f"get_decoder().save_pretrained('{tmp_path}-text')" in str(caught.value.do)


def test_a_family_that_does_not_count_its_layers_is_refused(tmp_path):
    hf.PerceiverConfig().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="how many layers"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("given", "expected"), [(None, 2), (-1, 2), (99, 2), (3, 3)], ids=["none", "negative", "past the end", "given"]
)
def test_a_decoder_pads_with_the_token_that_ends_texts(given, expected, tmp_path):
    config = hf.GPT2Config(vocab_size=60, n_embd=8, n_head=2, n_layer=1, eos_token_id=2, bos_token_id=2)
    hf.GPT2Model(config).save_pretrained(tmp_path)
    edit_config(tmp_path, pad_token_id=given)
    settle_padding(tmp_path)
    assert read_json(tmp_path / "config.json")["pad_token_id"] == expected
    model = load_classifier(tmp_path, LABELS)
    assert model.config.pad_token_id == expected and model.get_input_embeddings().num_embeddings == 60
    model.save_pretrained(tmp_path / "again")
    assert read_json(tmp_path / "again" / "config.json")["pad_token_id"] == expected


def test_the_tokenizers_padding_comes_before_the_end_of_a_text(tmp_path):
    hf.GPT2Config(vocab_size=60, eos_token_id=2).save_pretrained(tmp_path)
    train_wordpiece(["дрель пила"], 60).save(str(tmp_path / "tokenizer.json"))
    assert read_config(tmp_path).pad_token_id == 0
