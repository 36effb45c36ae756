"""Which layers of an encoder can be spared: removed one by one, each time the one whose removal changes least."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from distill.core.errors import UserError
from distill.core.files import Json, read_json
from distill.core.label_space import LabelSpace
from distill.core.leftovers import temporary_folder
from distill.core.objectives.objective import Objective
from distill.core.progress import progress
from distill.core.rendering import Window
from distill.core.view import View
from distill.inference.collate import collate
from distill.inference.trial import Subject, require_cut
from distill.models.encoder import input_names, layer_stack, load_classifier
from distill.models.encoder_config import CONFIG, stored_labels
from distill.models.quiet_transformers import quiet_transformers
from distill.models.truncation import keep_layers, shared_copy
from distill.training.objectives.row_losses import row_losses

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Row = Mapping[str, str]
_BATCH = 16  # windows of a forward pass


@dataclass(frozen=True)
class Probed:
    """What a probe chose. Attributes: kept: layers, in order. removed: the others with their costs, as they went."""

    kept: list[int]
    removed: list[tuple[int, float]]


class Distance(ABC):
    """How far what a shallower encoder says is from what the whole one says."""

    @abstractmethod
    def read(self, output: Any, mask: Tensor) -> Tensor:
        """What is compared of a forward pass. Args: mask: bool (B, S), True on tokens. Returns: float (N, D)."""

    @abstractmethod
    def between(self, whole: Tensor, cut: Tensor) -> Tensor:
        """How far each row of two readings is apart, 0 where they are equal: float (N, D) twice → float (N,)."""


class OfAnswers(Distance):
    """KL(whole ‖ cut) of the predicted distributions, of an encoder that was fine-tuned for the task."""

    def __init__(self, objective: Objective) -> None:
        self._losses = row_losses(objective)

    def read(self, output: Any, mask: Tensor) -> Tensor:
        """The logits, (B, K)."""
        logits: Tensor = output.logits
        return logits

    def between(self, whole: Tensor, cut: Tensor) -> Tensor:
        """Cross-entropy against the whole one's answers, less their entropy."""
        return self._losses.soft(cut, whole, 1.0) - self._losses.soft(whole, whole, 1.0)


class OfStates(Distance):
    """1 − cosine of the last hidden states, of an encoder whose head is yet to be trained."""

    def read(self, output: Any, mask: Tensor) -> Tensor:
        """The states of the tokens, (tokens, H)."""
        states: Tensor = output.hidden_states[-1]
        return states[mask]

    def between(self, whole: Tensor, cut: Tensor) -> Tensor:
        """Of each token."""
        return 1 - functional.cosine_similarity(whole, cut, dim=-1)


def choose_layers(source: Path, space: LabelSpace, view: View, texts: Sequence[Row], kept: int, student: str) -> Json:
    """Which `kept` layers of the encoder in `source` a student takes, with what each of the others cost.

    An encoder that was fine-tuned for the task is measured by its answers, another one by its last hidden states.

    Args: view: what the student reads. texts: of training rows. student: named in messages.
    Raises: UserError when the encoder cannot be loaded, has no stack of layers, or comes back from a folder with these
        layers as another one.
    """
    tuned = _is_tuned(source, space)
    renderer = view.renderer()
    windows = [one.windows[0] for one in renderer.encode_batch(texts)]
    distance = OfAnswers(space.objective) if tuned else OfStates()
    model = load_classifier(source, space.labels, space.objective)
    found = probe_layers(model, windows, renderer.pad_id, kept, distance)
    with temporary_folder() as folder, torch.no_grad(), quiet_transformers():
        subject = Subject(model, str(source), renderer.pad_id)
        require_cut(subject, student, found.kept, windows[:_BATCH], folder / "cut")
    return {
        "layers": found.kept,
        "measured_by": "answers" if tuned else "hidden states",
        "rows": len(windows),
        "removed": [{"layer": layer, "cost": cost} for layer, cost in found.removed],
    }


def _is_tuned(source: Path, space: LabelSpace) -> bool:
    """Whether the encoder has a head of the task, so that its answers mean something."""
    heads = read_json(source / CONFIG).get("architectures") or []
    named = any("SequenceClassification" in head for head in heads)
    return named and tuple(stored_labels(source) or ()) == space.outputs


@torch.no_grad()
def probe_layers(
    model: PreTrainedModel, windows: Sequence[Window], pad_id: int, kept: int, distance: Distance
) -> Probed:
    """The `kept` layers that remain when the others are removed greedily.

    Of the L layers left, each is tried without: the one with the least cost, the mean of `distance` between the whole
    encoder and the rest over all windows, goes; of equal ones the upper. One whose place no other can take stays, as
    the first of ModernBERT. That is repeated until `kept` are left, so that two layers which can stand in for each
    other are not both removed. Deterministic; Σ L forward passes.

    Args: model: in evaluation mode. windows: of training rows. pad_id: the tokenizer's padding token.
    Raises: UserError when the family has no stack of layers.
    Source: Song et al. 2024, "SLEB: Streamlining LLMs through Redundancy Verification and Elimination of Transformer
        Blocks", arXiv:2402.09025, with the distance to the encoder's own output in place of perplexity: no label is
        read, as in the contribution-based dropping of Sajjad et al. 2020, arXiv:2004.03844.
    """
    batches = _batches(model, windows, pad_id)
    left = list(range(len(layer_stack(model))))
    passes = sum(range(kept + 1, len(left) + 1))
    whole = _read(model, batches, distance)
    removed: list[tuple[int, float]] = []
    with progress("probing layers", passes, unit="passes") as advance:
        done = 0
        while len(left) > kept:
            costs = {}
            for layer in left:
                costs[layer] = _cost(model, [other for other in left if other != layer], batches, whole, distance)
                advance(done := done + 1)
            spared = min(left, key=lambda layer: (costs[layer], -layer))
            removed.append((spared, costs[spared]))
            left.remove(spared)
    return Probed(left, removed)


def _cost(
    model: PreTrainedModel, rest: Sequence[int], batches: Sequence[dict[str, Tensor]], whole: Tensor, distance: Distance
) -> float:
    """How far the encoder with the rest of its layers is from the whole one; infinite where that is no encoder."""
    shallow = shared_copy(model)
    try:
        keep_layers(shallow, rest)
    except UserError:
        return math.inf
    found = float(distance.between(whole, _read(shallow, batches, distance)).mean())
    return found if math.isfinite(found) else math.inf


def _batches(model: PreTrainedModel, windows: Sequence[Window], pad_id: int) -> list[dict[str, Tensor]]:
    """Windows of like length together, as the model reads them, with the mask."""
    ordered, names = sorted(windows, key=lambda window: len(window.ids)), {*input_names(model), "attention_mask"}
    parts = [collate(ordered[start : start + _BATCH], pad_id) for start in range(0, len(ordered), _BATCH)]
    return [{name: torch.from_numpy(array) for name, array in part.items() if name in names} for part in parts]


def _read(model: PreTrainedModel, batches: Sequence[dict[str, Tensor]], distance: Distance) -> Tensor:
    """What is compared, of all windows one after the other."""
    names, found = input_names(model), []
    for batch in batches:
        output = model(**{name: batch[name] for name in names}, output_hidden_states=True)
        found.append(distance.read(output, batch["attention_mask"].bool()))
    return torch.cat(found)
