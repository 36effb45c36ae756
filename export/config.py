"""Export targets: which runtime and precision a model leaves in. One YAML file each in `export/presets`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from distill.core.config import Config, merge, parse
from distill.core.presets import load_preset, preset_names, preset_place
from distill.core.project import Share

_PACKAGE = "export"
_INT8_ONLY = ("keep_fp32", "max_flips", "reduce_range")


class TargetConfig(Config):
    """One export target. `name` is that of the preset, and of the artifact's folder."""

    name: Annotated[str, Field(min_length=1)] = Field(description="the artifact is export/<model>/<name>")
    runtime: Literal["onnx"] = Field("onnx", description="what runs the exported file")
    precision: Literal["fp32", "int8"] = Field("fp32", description="fp32, or dynamic int8 for processors")
    parity_rows: PositiveInt = Field(1000, description="most validation records that parity reads, evenly spread")
    keep_fp32: list[str] = Field(default_factory=list, description="int8: patterns of MatMul names that stay fp32")
    max_flips: Share = Field(
        0.0075, description="int8: leave more in fp32 until no larger share of labels changes; 1 leaves nothing"
    )
    reduce_range: bool = Field(
        False, description="int8: 7-bit weights, for processors without VNNI, where 8-bit sums saturate"
    )

    @model_validator(mode="after")
    def _int8_settings(self) -> TargetConfig:
        given = [name for name in _INT8_ONLY if name in self.model_fields_set]
        if given and self.precision != "int8":
            raise ValueError(f"{', '.join(given)}: only for precision int8")
        return self


def target_names(project: Path | None = None) -> list[str]:
    """The names of all export presets. Args: project: the folder of a project file, whose own presets count too."""
    return preset_names(_PACKAGE, project)


def load_target(name: str, overrides: Mapping[str, Any] | None = None, project: Path | None = None) -> TargetConfig:
    """The export preset `name`, with `overrides` laid on top.

    Args: project: the folder of a project file, whose own presets come first.
    Raises: UserError for an unknown name, with the nearest one, or for every field that does not fit.
    """
    values = merge({"name": name, **load_preset(_PACKAGE, name, "export", project)}, overrides or {})
    return parse(TargetConfig, values, preset_place(_PACKAGE, name, project))
