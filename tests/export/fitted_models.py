"""Tiny encoders that tell three kinds of records apart, of any depth cut from twelve layers.

A random head gives logits near ties, so that int8 flips labels and no one can tell a fault from rounding. Of those that
faults are planted in the last layer of the head is the least-squares one for records of three vocabularies; those that
have to pass are trained on such records as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch

from distill.core.project import ViewConfig
from distill.core.view import View
from distill.inference.collate import collate
from distill.models.encoder import input_names
from distill.models.layer_map import kept_layers
from distill.models.quiet_transformers import quiet_transformers
from distill.models.truncation import keep_layers
from distill.models.wordpiece import train_wordpiece
from export.evidence import Evidence, Sample
from tests.export.conftest import LABELS, tiny_config

FAMILIES = ("bert", "roberta", "distilbert", "mpnet", "xlm-roberta")
DEPTH, WIDTH = 12, 64
MOST_TOKENS = 40
_SPREAD = 3.0  # of the logits: gold's over the others'
_TRAINING, _STEPS, _BATCH, _RATE = 1200, 60, 64, 1e-3
_WORDS = (
    "дрель шуруповёрт патрон сверло аккумулятор редуктор".split(),
    "наушники bluetooth звук микрофон амбушюры кабель".split(),
    "рецепт борщ свёкла сметана кастрюля укроп".split(),
)
JUDGING = 480  # records, of which half a percent is more than one


@cache
def records(seed: int, count: int = 120) -> tuple[tuple[dict[str, str], ...], np.ndarray]:
    """Records of 5 to 40 tokens, most of one vocabulary and some of two, and gold (N, 3), a twelfth of it random."""
    chance = np.random.default_rng(seed)
    rows, gold = [], np.zeros((count, 3), np.float32)
    for number in range(count):
        kind = number % 3
        pure = 0.7 if number % 8 == 0 else 1.0
        kinds = [kind if chance.random() < pure else chance.integers(3) for _ in range(5 + number % 9)]
        words = [chance.choice(_WORDS[one]) for one in kinds]
        rows.append({"product.title": " ".join(words[:3]), "page.title": " ".join(words[3:])})
        gold[number, kind if chance.random() > 1 / 12 else chance.integers(3)] = 1
    return tuple(rows), gold


def evidence() -> Evidence:
    """Records that judge, others to choose on and others that calibrate, as a run has them."""
    judging, choosing = (Sample(*records(seed, JUDGING)) for seed in (1, 2))
    return Evidence(judging, choosing, lambda: records(3)[0], tuple(LABELS), (0.9, 0.9))


def make_fitted(family: str, folder: Path, layers: int, keep: str = "spread", spread: float = 0.07) -> Path:
    """A finished model folder with so many of twelve random layers, and the head that fits them.

    Every layer matters to its answers, as none does that training has made robust: what is done to one can be seen.

    Args: spread: of the random weights; the larger, the more a layer does, and the more rounding grows on its way.
    """
    return _finished(_random(family, folder, layers, keep, spread), folder, _fit_head)


def make_trained(family: str, folder: Path, layers: int, keep: str = "spread") -> Path:
    """A finished model folder with so many of twelve random layers, all of them trained on the records then.

    It has learned what there is to learn, as models that leave have: few rows stand near a tie.
    """
    return _finished(_random(family, folder, layers, keep, 0.07), folder, _train)


def _random(family: str, folder: Path, layers: int, keep: str, spread: float) -> torch.nn.Module:
    """So many of twelve random layers; the folder has what the model reads."""
    from transformers import AutoModelForSequenceClassification

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_wordpiece([" ".join(words) for words in _WORDS for _ in range(9)], 120)
    tokenizer.save(str(folder / "tokenizer.json"))
    view = ViewConfig(left=["product.title"], right=["page.title"], max_tokens=MOST_TOKENS)
    View("card", view, folder / "tokenizer.json").save(folder)
    config = tiny_config(family)
    config.hidden_size, config.initializer_range = WIDTH, spread
    config.num_hidden_layers, config.vocab_size = DEPTH, tokenizer.get_vocab_size()
    config.id2label, config.label2id = dict(enumerate(LABELS)), {name: i for i, name in enumerate(LABELS)}
    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():  # fresh biases are 0, and the exporter drops additions of 0
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0, 0.1)
    keep_layers(model, kept_layers(DEPTH, layers, keep))
    return model


def _finished(model: torch.nn.Module, folder: Path, fit: Callable[[torch.nn.Module, Path], None]) -> Path:
    with quiet_transformers():
        model.save_pretrained(folder)  # what it reads is found in its folder
        fit(model, folder)
        model.save_pretrained(folder)
    return folder


def batches(model: torch.nn.Module, folder: Path, seed: int) -> list[dict[str, torch.Tensor]]:
    """What the model reads of the records of a seed, one at a time."""
    names, renderer = input_names(model), View.load(folder).renderer()
    read = [collate(encoded.windows, 0) for encoded in renderer.encode_batch(records(seed)[0])]
    return [{name: torch.from_numpy(batch[name]) for name in names} for batch in read]


def _fit_head(model: torch.nn.Module, folder: Path) -> None:
    """Solve the last linear layer for gold, over the features that it reads."""
    linear = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
    (head,) = (part for part in linear if part.out_features == len(LABELS))
    read: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    with torch.no_grad():
        for batch in batches(model, folder, 4):
            model(**batch)
    hook.remove()
    features = torch.cat([torch.cat(read), torch.ones(len(read), 1)], dim=1).double()
    wanted = _SPREAD * (torch.from_numpy(records(4)[1]).double() - 1 / 3)
    ridge = torch.eye(features.shape[1], dtype=torch.double)
    solved = torch.linalg.solve(features.T @ features + ridge, features.T @ wanted).T.float()
    with torch.no_grad():
        head.weight.copy_(solved[:, :-1])
        head.bias.copy_(solved[:, -1])


def _train(model: torch.nn.Module, folder: Path) -> None:
    """Fine-tune on records of another seed than those that judge, without dropout, which `eval` has switched off."""
    rows, gold = records(4, _TRAINING)
    names, read = input_names(model), View.load(folder).renderer().encode_batch(rows)
    chance, optimiser = np.random.default_rng(7), torch.optim.AdamW(model.parameters(), lr=_RATE)
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0.02, total_iters=_STEPS)
    for _ in range(_STEPS):
        chosen = chance.choice(len(rows), _BATCH, replace=False)
        batch = collate([read[row].windows[0] for row in chosen], 0)
        logits = model(**{name: torch.from_numpy(batch[name]) for name in names}).logits
        torch.nn.functional.cross_entropy(logits, torch.from_numpy(gold[chosen])).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        falling.step()
