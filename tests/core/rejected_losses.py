"""Values that the fields of loss terms and objectives refuse; a part of the table of `test_project.py`."""

from __future__ import annotations

from typing import Any

from distill.core.config import Config
from distill.training.fit_objectives.cross_entropy import CrossEntropy
from distill.training.fit_objectives.fit_objective import FitObjective
from distill.training.fit_objectives.one_vs_rest import OneVsRest
from distill.training.fit_objectives.regression import Regression
from distill.training.losses.attention import Attention
from distill.training.losses.attention_relations import AttentionRelations
from distill.training.losses.embedding_cosine import EmbeddingCosine
from distill.training.losses.gold import Gold
from distill.training.losses.hidden_states import HiddenStates
from distill.training.losses.kl import Kl
from distill.training.losses.logits_mse import LogitsMse
from distill.training.losses.r_drop import RDrop
from distill.training.losses.soft_cross_entropy import SoftCrossEntropy
from distill.training.losses.term import OfSource
from distill.training.losses.value_relations import ValueRelations
from distill.training.ramp import PositiveRamp, Ramp

MODULES = (
    "distill.training.fit_objectives.one_vs_rest",
    "distill.training.fit_objectives.regression",
    "distill.training.ramp",
    "distill.training.losses.attention",
    "distill.training.losses.attention_relations",
    "distill.training.losses.embedding_cosine",
    "distill.training.losses.gold",
    "distill.training.losses.hidden_states",
    "distill.training.losses.kl",
    "distill.training.losses.logits_mse",
    "distill.training.losses.r_drop",
    "distill.training.losses.soft_cross_entropy",
    "distill.training.losses.term",
    "distill.training.losses.value_relations",
)

# What a model needs besides the field under test.
NEEDED: dict[type[Config], dict[str, Any]] = {
    Ramp: {"start": 1, "end": 0, "steps": 10},
    PositiveRamp: {"start": 4, "end": 1, "steps": 10},
}

REJECTED: dict[type[Config], dict[str, Any]] = {
    **dict.fromkeys((FitObjective, CrossEntropy), {}),
    OneVsRest: {"scale": 0},
    Regression: {"class_values": [0, 2, 1], "borders": "median", "scale": 0},
    OfSource: {"weight": -1, "temperature": 0},
    Gold: {"weight": -1, "sources": {"train": {"weight": -1}}},
    SoftCrossEntropy: {"weight": "heavy", "temperature": 0, "sources": 3},
    Ramp: {"start": -1, "end": -1, "steps": 0, "shape": "sharp"},
    PositiveRamp: {"start": 0, "end": 0, "steps": 0, "shape": "sharp"},
    RDrop: {"sources": 3, "weight": -1},
    Kl: {"sources": 3, "weight": {"start": 1}, "temperature": {"start": 0, "end": 1, "steps": 5}},
    LogitsMse: {"sources": 3, "weight": -1, "centred": "some"},
    HiddenStates: {"sources": 3, "weight": -1, "layers": [[0, -1]], "tokens": "last", "normalise": "some", "view": 3},
    EmbeddingCosine: {"sources": 3, "weight": -1, "layers": "first", "tokens": "last", "view": "document"},
    Attention: {"sources": 3, "weight": -1, "layers": []},
    ValueRelations: {"sources": 3, "weight": -1, "layers": [[0]], "relation_heads": 0},
    AttentionRelations: {"sources": 3, "weight": -1, "layers": [[0, 1, 2]], "relation_heads": "all"},
}
