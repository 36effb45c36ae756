"""What an encoder's classifier has beyond the encoder: its dropout, and the layer that its logits come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.core.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
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


def output_layer(model: PreTrainedModel) -> nn.Linear:
    """The linear layer that the logits come from: the last one of as many outputs as the config names.

    Raises: UserError for a model without one, or whose last one has no bias, into which no head can be folded.
    """
    from torch import nn

    size = model.config.num_labels
    found = [one for one in model.modules() if isinstance(one, nn.Linear) and one.out_features == size]
    if not found or found[-1].bias is None:
        raise UserError(
            "this model's head cannot be folded into one output for each class",
            where="training.objective",
            found=f"model_type '{model.config.model_type}': "
            + ("its last linear layer has no bias" if found else f"no linear layer of {size} outputs"),
            do="use objective: cross_entropy, or an encoder whose classifier has a bias",
        )
    return found[-1]


def fold_head(model: PreTrainedModel, slopes: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
    """Let the last layer compute `y · slopesᵀ + offsets` of the outputs y (K,) that it computed before.

    Args: slopes: (C, K). offsets: (C,). Raises: as `output_layer`.
    """
    import torch
    from torch import nn

    layer = output_layer(model)
    with torch.no_grad():
        factors = torch.from_numpy(slopes).to(layer.weight.device)
        weight = factors @ layer.weight.double()
        bias = factors @ layer.bias.double() + torch.from_numpy(offsets).to(layer.weight.device)
        layer.weight, layer.bias = (nn.Parameter(values.to(layer.weight.dtype)) for values in (weight, bias))
    layer.out_features = len(offsets)
