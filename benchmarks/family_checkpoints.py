"""Tiny checkpoints with random weights, one of each family of encoders and decoders, with a tokenizer of its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LAYERS, POSITIONS = 4, 64
_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_END = "<|endoftext|>"
_SIZE = {
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "num_hidden_layers": LAYERS,
    "initializer_range": 0.1,
    "max_position_embeddings": POSITIONS,
}
_MARKS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
_NUMBERED_PAST_PADDING = {**_SIZE, **_MARKS, "max_position_embeddings": POSITIONS + 2}
_DECODER = {**_SIZE, "num_key_value_heads": 1, "bos_token_id": 0, "eos_token_id": 0}
_RELATIVE = {
    **_SIZE,
    "relative_attention": True,
    "position_biased_input": False,
    "type_vocab_size": 0,
    "pad_token_id": 0,
}
_XLM = {"emb_dim": 32, "n_layers": LAYERS, "n_heads": 2, "max_position_embeddings": POSITIONS, "pad_index": 1}


class Family(NamedTuple):
    """A family: the config class of transformers, the kind of tokenizer, and the settings of a tiny model."""

    config: str
    tokenizer: Callable[[Sequence[str]], tuple[Tokenizer, dict[str, str]]]
    settings: dict[str, Any]


def write_checkpoint(family: Family, texts: Sequence[str], folder: Path) -> None:
    """Write a Hugging Face folder without a head: tokenizer trained on `texts`, config, random weights."""
    import torch
    import transformers

    from distill.models.quiet_transformers import quiet_transformers

    tokenizer, names = family.tokenizer(texts)
    config = getattr(transformers, family.config)(vocab_size=tokenizer.get_vocab_size(), **family.settings)
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        transformers.AutoModel.from_config(config).save_pretrained(folder)
        wrapped.save_pretrained(folder)


def word_pieces(texts: Sequence[str]) -> tuple[Tokenizer, dict[str, str]]:
    """BERT's kind: WordPiece in the frame [CLS] … [SEP] … [SEP], with segment ids."""
    from distill.models.wordpiece import train_wordpiece

    return train_wordpiece(texts, 400), {f"{token.strip('[]').lower()}_token": token for token in _BERT}


def framed_bytes(texts: Sequence[str]) -> tuple[Tokenizer, dict[str, str]]:
    """RoBERTa's kind: byte-level BPE in the frame <s> … </s></s> … </s>."""
    from tokenizers import processors

    tokenizer = _byte_pairs(texts, _ROBERTA)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {f"{token.strip('<>')}_token": token for token in ("<pad>", "<unk>", "<mask>")}
    ends = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
    return tokenizer, {**names, **ends}


def bare_bytes(texts: Sequence[str]) -> tuple[Tokenizer, dict[str, str]]:
    """GPT-2's kind: byte-level BPE without a frame and without a padding token."""
    return _byte_pairs(texts, (_END,)), {"bos_token": _END, "eos_token": _END, "unk_token": _END}


def _byte_pairs(texts: Sequence[str], special: Sequence[str]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


FAMILIES = {
    "BERT": Family("BertConfig", word_pieces, _SIZE),
    "RoBERTa": Family("RobertaConfig", framed_bytes, {**_NUMBERED_PAST_PADDING, "type_vocab_size": 1}),
    "XLM-R": Family("XLMRobertaConfig", framed_bytes, {**_NUMBERED_PAST_PADDING, "type_vocab_size": 1}),
    "CamemBERT": Family("CamembertConfig", framed_bytes, {**_NUMBERED_PAST_PADDING, "type_vocab_size": 1}),
    "DistilBERT": Family(
        "DistilBertConfig",
        word_pieces,
        {"dim": 32, "n_heads": 2, "hidden_dim": 64, "n_layers": LAYERS, "max_position_embeddings": POSITIONS},
    ),
    "ELECTRA": Family("ElectraConfig", word_pieces, {**_SIZE, "embedding_size": 16}),
    "MPNet": Family("MPNetConfig", framed_bytes, _NUMBERED_PAST_PADDING),
    "DeBERTa v1": Family("DebertaConfig", framed_bytes, {**_RELATIVE, **_MARKS, "pos_att_type": ["c2p", "p2c"]}),
    "DeBERTa v2": Family(
        "DebertaV2Config", word_pieces, {**_RELATIVE, "pos_att_type": ["p2c", "c2p"], "conv_kernel_size": 3}
    ),
    "DeBERTa v3": Family(
        "DebertaV2Config",
        word_pieces,
        {
            **_RELATIVE,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 16,
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
        },
    ),
    "ModernBERT": Family(
        "ModernBertConfig",
        word_pieces,
        {**_SIZE, "local_attention": 8, "pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "eos_token_id": 3},
    ),
    "BigBird": Family("BigBirdConfig", word_pieces, {**_SIZE, "pad_token_id": 0, "sep_token_id": 3}),
    "MobileBERT": Family("MobileBertConfig", word_pieces, {**_SIZE, "embedding_size": 16, "intra_bottleneck_size": 16}),
    "GPT-2": Family(
        "GPT2Config",
        bare_bytes,
        {"n_embd": 32, "n_head": 2, "n_layer": LAYERS, "n_positions": POSITIONS, "bos_token_id": 0, "eos_token_id": 0},
    ),
    "Llama": Family("LlamaConfig", bare_bytes, _DECODER),
    "Qwen2": Family("Qwen2Config", bare_bytes, _DECODER),
    "RoFormer": Family("RoFormerConfig", word_pieces, _SIZE),
    "SqueezeBERT": Family("SqueezeBertConfig", word_pieces, {**_SIZE, "embedding_size": 32}),
    "ALBERT": Family("AlbertConfig", word_pieces, {**_SIZE, "embedding_size": 16}),
    "XLM": Family("XLMConfig", framed_bytes, _XLM),
    "FlauBERT": Family("FlaubertConfig", framed_bytes, _XLM),
    "Longformer": Family("LongformerConfig", framed_bytes, {**_NUMBERED_PAST_PADDING, "attention_window": 8}),
    "FNet": Family("FNetConfig", word_pieces, {k: v for k, v in _SIZE.items() if k != "num_attention_heads"}),
    "ConvBERT": Family("ConvBertConfig", word_pieces, {**_SIZE, "embedding_size": 32}),
    "XLNet": Family(
        "XLNetConfig", framed_bytes, {"d_model": 32, "n_layer": LAYERS, "n_head": 2, "d_inner": 64, "pad_token_id": 1}
    ),
    "BART": Family(
        "BartConfig",
        framed_bytes,
        {
            "d_model": 32,
            "encoder_layers": LAYERS,
            "decoder_layers": LAYERS,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "max_position_embeddings": POSITIONS,
        },
    ),
    "T5": Family(
        "T5Config", framed_bytes, {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": LAYERS, "num_heads": 2}
    ),
}
"""Each family by the name that docs/families.md has."""
