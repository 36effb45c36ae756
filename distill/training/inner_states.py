"""What loss terms read of a model besides its logits: asked of the forward pass, or kept while it runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from distill.models.encoder import input_names
from distill.models.projections import attention_modules, recorded
from distill.models.token_schedule import stored_schedule
from distill.training.losses.term import ATTENTIONS, HIDDEN_STATES, PROJECTIONS, Projections, Sizes


class Reader:
    """Runs a model and keeps what is needed of it.

    Args: model: a classifier. needs: what the loss terms read.
    Raises: UserError where projections are needed of a family whose are not known.
    """

    def __init__(self, model: PreTrainedModel, needs: Collection[str] = ()) -> None:
        self._model, self._names = model, input_names(model)
        self._options = {f"output_{name}": True for name in (ATTENTIONS, HIDDEN_STATES) if name in needs}
        self._projections = PROJECTIONS in needs
        self._heads: int = getattr(model.config, "num_attention_heads", 0)
        if self._projections:
            attention_modules(model)
        if ATTENTIONS in needs:
            # The fused kernels never form attention weights.
            model.set_attn_implementation("eager")

    def __call__(self, batch: Mapping[str, Tensor], call: Any = None) -> tuple[Tensor, dict[str, Any]]:
        """Logits of the windows (W, K), and what is needed as `Outputs` names it.

        Args: call: what runs the model, where it is wrapped; None: itself.
        """
        with recorded(self._model) if self._projections else nullcontext(list) as triples:
            found = (call or self._model)(**{name: batch[name] for name in self._names}, **self._options)
            kept = tuple(Projections(*triple, self._heads) for triple in triples())
        states = {
            "hidden_states": tuple(found.hidden_states or ()),
            "attentions": tuple(found.attentions or ()),
            "projections": kept,
            "projected": getattr(found, "projected", None) or {},
        }
        return found.logits, states


def sizes(model: PreTrainedModel) -> Sizes:
    """What loss terms ask of a model's shape."""
    config: Any = model.config
    shortened = any(tokens > 1 for tokens in stored_schedule(config) or ())
    return Sizes(config.num_hidden_layers, config.hidden_size, config.num_attention_heads, shortened)
