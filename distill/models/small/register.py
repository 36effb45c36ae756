"""Make the small classifiers known to transformers, so that its Auto classes load their folders."""

from __future__ import annotations


def register() -> None:
    """Enter every architecture of this package in transformers' tables; once is enough, more does no harm."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from distill.models.small.bag import Bag, BagConfig
    from distill.models.small.encoder_lstm import EncoderLstm, EncoderLstmConfig
    from distill.models.small.frozen_mlp import FrozenMlp, FrozenMlpConfig
    from distill.models.small.lstm import Lstm, LstmConfig
    from distill.models.small.mean_states import MeanStates, MeanStatesConfig

    known = (
        (BagConfig, Bag),
        (EncoderLstmConfig, EncoderLstm),
        (FrozenMlpConfig, FrozenMlp),
        (LstmConfig, Lstm),
        (MeanStatesConfig, MeanStates),
    )
    for config, model in known:
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModelForSequenceClassification.register(config, model, exist_ok=True)
