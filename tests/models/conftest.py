"""Tiny classifiers with random weights, one of each family."""

import pytest
import torch
import transformers as hf

SMALL = {
    "vocab_size": 60,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "initializer_range": 0.2,
}
CONFIGS = {
    "bert": lambda n: hf.BertConfig(**SMALL, num_hidden_layers=n, max_position_embeddings=40),
    "roberta": lambda n: hf.RobertaConfig(**SMALL, num_hidden_layers=n, max_position_embeddings=42, type_vocab_size=1),
    "xlm-roberta": lambda n: hf.XLMRobertaConfig(
        **SMALL, num_hidden_layers=n, max_position_embeddings=42, type_vocab_size=1
    ),
    "electra": lambda n: hf.ElectraConfig(**SMALL, num_hidden_layers=n, embedding_size=16),
    "distilbert": lambda n: hf.DistilBertConfig(
        vocab_size=60, dim=24, n_heads=3, hidden_dim=40, n_layers=n, max_position_embeddings=40, initializer_range=0.2
    ),
    "deberta-v2": lambda n: hf.DebertaV2Config(
        **SMALL,
        num_hidden_layers=n,
        relative_attention=True,
        pos_att_type=["c2p", "p2c"],
        position_biased_input=False,
        type_vocab_size=0,
    ),
    "modernbert": lambda n: hf.ModernBertConfig(
        **{**SMALL, "num_attention_heads": 2},
        num_hidden_layers=n,
        local_attention=4,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        cls_token_id=1,
        sep_token_id=2,
        initializer_cutoff_factor=2.0,
        classifier_pooling="cls",
    ),
    "mpnet": lambda n: hf.MPNetConfig(**SMALL, num_hidden_layers=n),
    "roberta-prelayernorm": lambda n: hf.RobertaPreLayerNormConfig(
        **SMALL, num_hidden_layers=n, max_position_embeddings=42
    ),
    "albert": lambda n: hf.AlbertConfig(**SMALL, num_hidden_layers=n, embedding_size=16),
}


@pytest.fixture
def make_model():
    """`make_model(family, layers, attention=...)`: three classes, evaluation mode, always the same weights."""

    def make(family, layers=4, attention=None, **changes):
        torch.manual_seed(7)
        config = CONFIGS[family](layers)
        config.num_labels = 3
        for name, value in changes.items():
            setattr(config, name, value)
        model = hf.AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
        return model.eval()

    return make


@pytest.fixture
def make_inputs():
    """`make_inputs(lengths)`: random ids right-padded to the longest row, with the mask."""

    def make(lengths, pad_to=None, seed=3):
        generator = torch.Generator().manual_seed(seed)
        width = pad_to or max(lengths)
        ids = torch.randint(5, 60, (len(lengths), max(lengths)), generator=generator)
        ids = torch.nn.functional.pad(ids, (0, width - max(lengths)), value=1)
        mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
        return {"input_ids": torch.where(mask == 1, ids, 1), "attention_mask": mask}

    return make


@pytest.fixture
def saved(make_model, tmp_path):
    """A folder of a BERT of three layers."""
    make_model("bert", layers=3).save_pretrained(tmp_path)
    return tmp_path
