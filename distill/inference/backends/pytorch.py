"""PyTorch, on processors and on CUDA."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from distill.inference.backends.backend import Backend, Precision, Running

if TYPE_CHECKING:
    from distill.inference.runner import Runner


class Torch(Backend):
    """The model as it was trained; what every other backend is compared with."""

    name: ClassVar[str] = "torch"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16")
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    unpads: ClassVar[bool] = True
    compiles: ClassVar[bool] = True
    mixes: ClassVar[bool] = True

    @classmethod
    def open(cls, folder: Path, how: Running) -> Runner:
        """`TorchRunner`, or `UnpaddedRunner`; of an unpadded one nothing is compiled."""
        where: dict[str, Any] = {
            "threads": how.threads,
            "precision": how.precision,
            "exact_layers": how.exact_layers,
            "device": how.device,
        }
        if how.unpadded:
            from distill.inference.unpadded_runner import UnpaddedRunner

            return UnpaddedRunner(folder, **where)
        from distill.inference.torch_runner import TorchRunner

        runner = TorchRunner(folder, **where, first_token_only=how.rewritten)
        if how.compiled:
            runner.compile()
        return runner
