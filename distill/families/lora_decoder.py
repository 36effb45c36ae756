"""Left-to-right language models with a classification head at the end of the text; as a rule trained by adapters."""

from __future__ import annotations

from typing import Any

from distill.core.errors import UserError
from distill.families.encoder import Encoder


class LoraDecoder(Encoder):
    """A decoder as a teacher: it labels, is measured and timed in PyTorch.

    Its head reads the last token that is no padding. It is not exported, for such models pass the 2 GB of one ONNX
    file, and gives no layers: students start from an encoder of their own (`start`). A small decoder that is to be cut
    and exported is a teacher of the family `encoder`.
    """

    name = "lora_decoder"
    layered = False
    sorted_layers = True
    exports = False
    products = False
    signs = True

    def require(self, model: Any) -> None:
        """Check that the model reads from left to right. Raises: UserError for an encoder."""
        if not hasattr(model, "score"):  # the name of the head of every decoder in transformers
            raise UserError(
                "the checkpoint is no left-to-right model",
                where="family",
                found=f"lora_decoder, model_type '{model.config.model_type}'",
                do="use the family encoder, which has training.lora too",
            )
