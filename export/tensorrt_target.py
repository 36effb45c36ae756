"""What the TensorRT targets share: a strongly typed file, shape profiles, and the proof of the engine built from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from distill.core.config_values import Share
from distill.core.errors import UserError
from distill.core.files import Json, read_json, write_json
from distill.core.view import View
from distill.inference import engines
from distill.inference.providers import AUTO, TENSORRT
from export.half_target import HalfTarget
from export.onnx_inputs import input_names
from export.targets.base import Source

if TYPE_CHECKING:
    from distill.inference.runner import Runner

PROFILES = "profiles.json"
_INSTALL = "on a machine with a CUDA card: pip install -c requirements/constraints.txt '.[train,gpu,tensorrt]'"


class TensorrtTarget(HalfTarget):
    """A strongly typed ONNX file whose engine TensorRT builds where it runs, for that card and these versions alone.

    The file travels, the engine does not. With `engine: here` an engine is built and its precision proved when the
    student is exported, which needs the card. With `engine: later` that is left to the machine that serves: the file is
    measured on the processor, by an emulation that rounds as its types do.
    """

    providers: ClassVar[tuple[str, ...]] = (TENSORRT,)
    elsewhere: ClassVar[str] = "it is the graph of a TensorRT engine; the target onnx-fp16 makes a file for others"

    engine: Literal["here", "later"] = Field(
        "here", description="build and prove the engine at the export, or leave it to the machine that serves"
    )
    most_rows: PositiveInt = Field(64, description="most windows of a batch that the engine takes at once")
    least_share: Share = Field(
        0.9, description="least share of the engine's products in the declared precision, by TensorRT's inspector"
    )

    def made_elsewhere(self) -> TensorrtTarget:
        """With its engine left to that machine."""
        return self.model_copy(update={"engine": "later"})

    def require_machine(self) -> None:
        """Check that there are card and TensorRT, where the engine is built here."""
        if self.engine == "here":
            self._machine()

    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Write graph and profiles, and with `engine: here` build an engine and prove what it computes in.

        Returns: as `write_graph`; `profiles`; `engine`: card, versions and layers by precision, or None for later.
        Raises: UserError as `write_graph`, or when TensorRT refuses the file; GateFailed for another precision.
        """
        from export.tensorrt.profiles import profiles

        here = self._machine() if self.engine == "here" else None
        found, lengths = self.write_graph(source, folder)
        most_tokens = View.load(source.model_folder).config.max_tokens
        shapes = profiles(lengths, input_names(folder / self.model), most_tokens=most_tokens, most_rows=self.most_rows)
        write_json(folder / PROFILES, {"profiles": shapes})
        proved = self._proved(folder / self.model, shapes, here) if here is not None else None
        return {**found, "profiles": shapes, "engine": proved}

    def entry(self, folder: Path) -> dict[str, Any]:
        """With the shape profiles, by which `runtime.py` builds the engine where it runs."""
        return {**super().entry(folder), **read_json(folder / PROFILES)}

    @classmethod
    def open(cls, folder: Path, threads: int | None = None, provider: str = AUTO, *, spinning: bool = True) -> Runner:
        """The engines of its profiles; without a card, where none was asked for, the emulation on the processor."""
        from distill.inference.onnx_runner import OnnxRunner
        from export.emulation import Emulated

        if provider == AUTO and not _has_card():
            return Emulated(folder / cls.model, threads)
        facts = {**cls.facts(), **read_json(folder / PROFILES)}
        return OnnxRunner(folder / cls.model, threads=threads, facts=facts, provider=provider, spinning=spinning)

    @classmethod
    def limits(cls, cpu: str) -> list[str]:
        """What the file is before a card has seen it."""
        return [
            f"- {cls.file} is the graph of a TensorRT engine ({cls.precision}, strongly typed). The engine is built at",
            "  the first start on a card, which takes minutes, and kept for that card, driver and versions alone: in",
            "  `DISTILL_ENGINES`, or else the user's cache folder. Run the check on the machine that serves.",
        ]

    def _machine(self) -> Json:
        """Card and versions. Raises: UserError with what to install."""
        try:
            return engines.machine()
        except engines.NoGpu as error:
            raise UserError(
                "TensorRT builds an engine for the card that it finds",
                where=f"export: {self.name}",
                found=error,
                do=f"{_INSTALL}; or set engine: later in the preset, and the engine is built where it serves",
            ) from None

    def _proved(self, model: Path, shapes: list[Json], here: Json) -> Json:
        from export.tensorrt.builder import layer_information
        from export.tensorrt.inspector import read_layers, require_precision

        timing = engines.timing_file(here)
        timing.parent.mkdir(parents=True, exist_ok=True)
        layers = read_layers(layer_information(model, shapes, timing))
        require_precision(layers, self.precision, self.least_share)
        counts = {"layers": dict(layers.by_precision), "products": dict(layers.products)}
        return {**here, **counts, "share": layers.share(self.precision)}


def _has_card() -> bool:
    """Whether ONNX Runtime has TensorRT here, and TensorRT a card."""
    from onnxruntime import get_available_providers

    try:
        return TENSORRT in get_available_providers() and bool(engines.machine())
    except engines.NoGpu:
        return False
