"""Values that the settings of a training run refuse; a part of the table of `test_project.py`."""

from __future__ import annotations

from typing import Any

from distill.core.config import Config
from distill.models.config import HeadConfig
from distill.training.config import AlterConfig, LoraConfig, TrainingConfig
from distill.training.learning import LearningConfig

TERMS = {"losses": {"soft_cross_entropy": {"temperature": 0}}, "temperature": 0, "alpha": -0.5}

REJECTED: dict[type[Config], dict[str, Any]] = {
    LearningConfig: TERMS,
    HeadConfig: {"layers": 3, "hidden": 0, "dropout": 1},
    LoraConfig: {"r": 0, "alpha": 0, "dropout": 1, "modules": [], "four_bit": "perhaps"},
    AlterConfig: {"field_dropout": 1, "word_dropout": -0.1, "swapped": 2},
    TrainingConfig: {
        "alter": 0.5,
        "objective": "regresion",
        "label_smoothing": 1,
        "class_weights": {"да": -1},
        "oversample": 1.5,
        "optimiser": "sgd",
        "epochs": 0,
        "max_steps": 0,
        "early_stopping": 0,
        "final_learning_rate": 2,
        "patience": 0,
        "evaluate_steps": 0,
        "average": 0,
        "ema": 1,
        "ceiling_steps": 0,
        "ceiling_minutes": 0,
        "batch_size": 0,
        "accumulate": 0,
        "learning_rate": 2,
        "head_rate": 0,
        "layer_decay": 1.1,
        "warmup": -0.1,
        "schedule": "step",
        "weight_decay": 2,
        "max_grad_norm": 0,
        "dropout": 1,
        "head_dropout": 1,
        "cheap_dropout": "perhaps",
        "precision": "fp16",
        "embeddings": "sparse",
        "lora": {"r": 0},
        "gradient_checkpointing": "perhaps",
        "last_layer": "first",
        "checkpoint": "first",
        "keep_evaluated": "all",
        "may_collapse": "perhaps",
        "save_steps": 0,
    },
}
