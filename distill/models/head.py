"""What an encoder's classifier has beyond the encoder: its dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.core.errors import UserError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def head_dropouts(model: PreTrainedModel) -> list[nn.Dropout]:
    """The dropout layers of the classification head, whatever the family calls their rate (`classifier_dropout`,
    `cls_dropout`, `seq_classif_dropout`, …): those outside the encoder.

    Raises: UserError for a family whose head has none.
    """
    from torch import nn

    inner = set(map(id, model.base_model.modules()))
    found = [one for one in model.modules() if isinstance(one, nn.Dropout) and id(one) not in inner]
    if not found:
        raise UserError(
            "the classification head of this encoder has no dropout",
            where="training.head_dropout",
            found=f"model_type '{model.config.model_type}'",
            do="remove head_dropout; dropout sets the rate inside the encoder",
        )
    return found
