"""An encoder with a smaller vocabulary answers as the whole one, bit for bit."""

import json
import shutil
from collections import Counter

import pytest
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core.errors import UserError
from distill.core.model_folder import parameter_count
from distill.models.config import VocabularyConfig
from distill.models.encoder import input_names, load_classifier
from distill.models.vocabulary.trim import trim
from tests.models.vocabulary.trained import FEW, WORDS, unigram

LABELS = ["мимо", "рядом", "точно"]
KINDS = ["BERT", "RoBERTa", "MPNet", "ELECTRA", "DistilBERT", "DeBERTa v2", "ModernBERT", "GPT-2"]


def counted(source, texts=FEW):
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    return Counter(token for text in texts for token in tokenizer.encode(text, add_special_tokens=False).ids)


def trimmed(source, folder, **config):
    folder.mkdir()
    trim(source, counted(source), VocabularyConfig(**config), "teachers.base.vocabulary", folder)
    return folder


def answers(folder, texts=FEW):
    """Logits of each text alone, with the same head."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    torch.manual_seed(3)
    model, found = load_classifier(folder, LABELS), []
    for weight in model.parameters():  # in memory of its own: how a file's numbers lie there decides the last bits
        weight.data = weight.data.clone()
    with torch.no_grad():
        for text in texts:
            one = tokenizer.encode(text, text)
            rows = {"input_ids": one.ids, "token_type_ids": one.type_ids, "attention_mask": one.attention_mask}
            found.append(model(**{name: torch.tensor([rows[name]]) for name in input_names(model)}).logits)
    return torch.cat(found)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_whole_encoder(kind, tmp_path):
    write_checkpoint(FAMILIES[kind], WORDS, tmp_path / "whole")
    small = trimmed(tmp_path / "whole", tmp_path / "small")
    assert torch.equal(answers(tmp_path / "whole"), answers(small))
    figures = json.loads((small / "vocabulary.json").read_text())
    assert figures["rows"] < figures["rows_before"] and figures["parameters"] == parameter_count(small)
    assert figures["bytes"] == (small / "model.safetensors").stat().st_size < figures["bytes_before"]
    assert (figures["min_count"], figures["rare_share"]) == (1, 0) and figures["seen"] == len(
        counted(tmp_path / "whole")
    )


@pytest.fixture
def sentence_piece(tmp_path):
    """A BERT under XLM-R's kind of tokenizer, with more rows of embeddings than tokens, as E5 has."""
    folder = tmp_path / "whole"
    tokenizer = unigram(WORDS)
    names = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in names.items()}
    )
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.BertConfig(vocab_size=tokenizer.get_vocab_size() + 5, pad_token_id=1, eos_token_id=2, **shape)
    torch.manual_seed(1)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def test_transformers_reads_the_folder_as_tokenizers_does(sentence_piece, tmp_path):
    small = trimmed(sentence_piece, tmp_path / "small")
    assert torch.equal(answers(sentence_piece), answers(small))
    own, theirs = Tokenizer.from_file(str(small / "tokenizer.json")), transformers.AutoTokenizer.from_pretrained(small)
    for text in (*WORDS, "ёж 🔧"):
        assert theirs(text, text)["input_ids"] == own.encode(text, text).ids
    assert (theirs.pad_token_id, theirs.mask_token_id) == (1, own.get_vocab_size() - 1)
    assert transformers.AutoConfig.from_pretrained(small).vocab_size == own.get_vocab_size()


def test_a_language_models_head_keeps_the_rows_of_its_tokens(sentence_piece, tmp_path):
    small = trimmed(sentence_piece, tmp_path / "small")
    batch = {}
    for folder in (sentence_piece, small):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
        with torch.no_grad():
            batch[folder.name] = model(**tokenizer(FEW[3], return_tensors="pt")).logits
    whole = Tokenizer.from_file(str(sentence_piece / "tokenizer.json")).get_vocab()
    own = Tokenizer.from_file(str(small / "tokenizer.json")).get_vocab()
    kept = [whole[token] for token in sorted(own, key=own.get)]
    assert torch.equal(batch["small"], batch["whole"][..., kept])


def test_weights_in_several_files_are_trimmed_where_the_embeddings_are(tmp_path):
    write_checkpoint(FAMILIES["BERT"], WORDS, tmp_path / "one")
    transformers.AutoModel.from_pretrained(tmp_path / "one").save_pretrained(tmp_path / "whole", max_shard_size="30KB")
    shutil.copy(tmp_path / "one" / "tokenizer.json", tmp_path / "whole")
    assert len(list((tmp_path / "whole").glob("*.safetensors"))) > 2
    small = trimmed(tmp_path / "whole", tmp_path / "small")
    assert torch.equal(answers(tmp_path / "one"), answers(small))


def test_no_other_tensor_is_touched(tmp_path):
    """Not even one that has as many rows as there are tokens."""
    kind = FAMILIES["BERT"]
    write_checkpoint(kind, WORDS, tmp_path / "first")
    rows = Tokenizer.from_file(str(tmp_path / "first" / "tokenizer.json")).get_vocab_size()
    write_checkpoint(kind._replace(settings={**kind.settings, "intermediate_size": rows}), WORDS, tmp_path / "whole")
    small = trimmed(tmp_path / "whole", tmp_path / "small")
    whole, after = (load_file(folder / "model.safetensors") for folder in (tmp_path / "whole", small))
    changed = [name for name in whole if not torch.equal(whole[name], after[name])]
    assert changed == ["embeddings.word_embeddings.weight"]
    assert torch.equal(answers(tmp_path / "whole"), answers(small))


def test_rare_tokens_go_too_where_asked(tmp_path):
    write_checkpoint(FAMILIES["BERT"], WORDS, tmp_path / "whole")
    texts, figures = [*WORDS[:30], *WORDS[:20], *WORDS[:10]], []
    for least in (1, 2, 3):
        (folder := tmp_path / str(least)).mkdir()
        trim(tmp_path / "whole", counted(tmp_path / "whole", texts), VocabularyConfig(min_count=least), "", folder)
        figures.append(json.loads((folder / "vocabulary.json").read_text()))
    assert figures[0]["rows"] > figures[1]["rows"] >= figures[2]["rows"]
    assert 0 == figures[0]["rare_share"] < figures[1]["rare_share"] < figures[2]["rare_share"] < 1


def test_a_count_that_no_token_reaches_is_refused(tmp_path):
    write_checkpoint(FAMILIES["BERT"], WORDS, tmp_path / "whole")
    with pytest.raises(UserError, match=r"no token is left(?s:.*)10000, the commonest token occurs 2 times") as caught:
        trimmed(tmp_path / "whole", tmp_path / "small", min_count=10_000)
    assert caught.value.where == "teachers.base.vocabulary.min_count"
    assert not list((tmp_path / "small").iterdir())


def test_tokens_without_embeddings_are_refused(tmp_path):
    write_checkpoint(FAMILIES["BERT"], WORDS, tmp_path / "whole")
    path = tmp_path / "whole" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.add_tokens(["новый"])
    tokenizer.save(str(path))
    with pytest.raises(UserError, match="the vocabulary cannot be trimmed"):
        trimmed(tmp_path / "whole", tmp_path / "small")
