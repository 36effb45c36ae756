"""What every backend offers: which arithmetic it has here, and a runner of a model folder."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from distill.core.errors import UserError
from distill.core.siblings import sibling
from distill.inference import backends
from distill.inference.compiling import COMPILERS, has_compiler

if TYPE_CHECKING:
    from distill.inference.runner import Runner

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Running:
    """How a backend runs a model.

    Attributes: threads: None leaves them. rewritten: with exact, faster forms of layers. unpadded: batches are read
        without their padding. compiled: by torch.compile, of PyTorch. exact_layers: how many of the last layers stay in
        fp32 under another precision.
    """

    threads: int | None = None
    precision: Precision = "fp32"
    device: str = "cpu"
    rewritten: bool = True
    unpadded: bool = False
    compiled: bool = False
    exact_layers: int = 0


class Backend:
    """A runtime for encoders.

    Attributes: name: in `labelling.backend`. precisions: that it can compute in, the exact one first. devices: kinds of
        device that it runs on. unpads: whether it can read batches without padding. compiles: whether torch.compile can
        make its models faster. mixes: whether some layers can stay in fp32 while others are in another precision.
    """

    name: ClassVar[str]
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    unpads: ClassVar[bool] = False
    compiles: ClassVar[bool] = False
    mixes: ClassVar[bool] = False

    @classmethod
    def require(cls) -> None:
        """Check that its packages are installed. Raises: MissingExtra."""

    @classmethod
    def device(cls, found: str) -> str:
        """The device that it runs on where PyTorch has found `found`: that one, or the processor."""
        return found if found.partition(":")[0] in cls.devices else cls.devices[0]

    @classmethod
    def precision(cls, asked: str, hardware_has_bf16: bool) -> Precision:
        """`auto` as bf16 where backend and hardware have it, else fp32; other values as they are.

        Raises: UserError for one that the backend does not have.
        """
        if asked == "auto":
            return "bf16" if hardware_has_bf16 and "bf16" in cls.precisions else "fp32"
        for known in cls.precisions:
            if known == asked:
                return known
        raise UserError(
            "the backend does not compute in this precision",
            where="labelling.precision",
            found=f"{asked}, with backend {cls.name}",
            do=f"take {' or '.join(cls.precisions)}, or another backend",
        )

    @classmethod
    def require_unpadding(cls, asked: bool) -> None:
        """Check that it can read batches without padding where that is asked. Raises: UserError."""
        if asked and not cls.unpads:
            raise UserError(
                "the backend reads padded batches alone",
                where="labelling.unpadded",
                found=f"true, with backend {cls.name}",
                do="set it to false, or take backend torch",
            )

    @classmethod
    def require_compiling(cls, asked: bool, unpadded: bool) -> None:
        """Check that torch.compile can make its models faster where that is asked. Raises: UserError."""
        where = "labelling.compiled"
        if asked and (unpadded or not cls.compiles):
            found = "true, with unpadded: true" if cls.compiles else f"true, with backend {cls.name}"
            do = "set it to false, or take backend torch with unpadded: false"
            raise UserError(
                "only PyTorch's models that read padded batches are compiled", where=where, found=found, do=do
            )
        if asked and not has_compiler():
            found, do = f"none of {', '.join(COMPILERS)}", "install one, or set it to false"
            raise UserError("torch.compile needs a compiler of C++", where=where, found=found, do=do)

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, how: Running) -> Runner:
        """A runner of the encoder in a Hugging Face folder.

        Raises: UserError when the folder cannot be loaded or exported; MissingExtra.
        """


def backend(name: str, where: str = "labelling.backend") -> type[Backend]:
    """The backend of this name, or the user's own as `module:Class`. Raises: UserError as `sibling`."""
    return sibling(backends, Backend, name, "backend", where)
