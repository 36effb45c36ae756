"""What the int8 targets share: what they can be made of, and the ladder of what stays fp32."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from distill.core.config_values import Share
from distill.core.errors import UserError
from distill.core.files import Json
from distill.evaluation.gates import exceeded
from export.targets.base import Criterion, Source, Target

Write = Callable[[Path], Mapping[str, Any]]
Try = tuple[str, Write]
"""A form of the model: its name, and what writes it, which may say what of the graph has the form that runs faster."""


class Int8(Target):
    """int8 products in ONNX Runtime on processors. It rounds as the processor does, so its logits hold on one class of
    processor only.
    """

    precision: ClassVar[str] = "int8"
    criterion: ClassVar[Criterion] = "decisions"
    quantises: ClassVar[bool] = True
    elsewhere: ClassVar[str] = (
        "its integer products have no kernels on a GPU and would go back and forth to the processor, many times slower"
    )
    chooses: ClassVar[bool] = True
    starts_from: ClassVar[str | None] = "onnx_fp32"

    keep_fp32: list[str] = Field(default_factory=list, description="patterns of MatMul names that stay fp32")
    max_flips: Share = Field(
        0.0075, description="leave more in fp32 until no larger share of labels changes; 1 leaves nothing"
    )
    reduce_range: bool = Field(
        False, description="7-bit weights, for processors without VNNI, where 8-bit sums saturate"
    )

    def require(self, model: Any) -> None:
        """Check that the encoder has products to quantise: SqueezeBERT has convolutions in their place."""
        from torch import nn
        from transformers.pytorch_utils import Conv1D  # GPT-2's name for a linear layer

        parts = model.base_model.named_modules()
        if not any(isinstance(part, nn.Linear | Conv1D) for name, part in parts if not name.startswith("pooler")):
            raise UserError(
                "int8 has nothing to quantise in this family",
                where=f"export: {self.name}",
                found=f"model_type '{model.config.model_type}'",
                do="take the target out of export, or an encoder with linear layers",
            )

    def first_good(self, source: Source, folder: Path, tries: Iterable[Try]) -> Mapping[str, Any]:
        """Write the first form that changes few enough answers, or else the one that changes the fewest labels.

        Few enough are at most `max_flips` labels, and no more decisions and F1 than the target's gates. Where the
        source asks for the most exact form it is the last, and none is tried.

        Returns: `rung`, the name of the form taken, `rungs`, the label flips of each that was tried, and `graph`, what
            its writer says.
        """
        out, made, found = folder / self.model, dict[str, Write](), dict[str, Json]()
        if source.most_exact:
            *_, (name, write) = tries
            return {"rung": name, "rungs": {}, "graph": write(out)}
        for name, write in tries:
            graph = write(out)
            made[name], found[name] = write, source.changes(self.open(folder))
            if self._good(found[name]):
                return _taken(name, found, graph)
        rung = min(found, key=lambda name: found[name]["flips"])
        return _taken(rung, found, made[rung](out))

    def _good(self, changes: Json) -> bool:
        within = self.gates.model_copy(update={"flips": self.max_flips})
        return not exceeded(within, changes)

    @classmethod
    def limits(cls, cpu: str) -> list[str]:
        """Why labels change on other processors."""
        return [
            f"- int8 rounds as the processor does. Recorded on `{cpu}`; without VNNI instructions its sums can",
            "  saturate and labels change, so run the check on the machine that serves.",
        ]


def _taken(rung: str, found: Mapping[str, Json], graph: Mapping[str, Any]) -> Mapping[str, Any]:
    chosen = {"rung": rung, "rungs": {name: changes["flips"] for name, changes in found.items()}}
    return {**chosen, "graph": graph}
