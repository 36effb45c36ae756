"""An engine built by TensorRT itself, with what its inspector says of every layer: TensorRT 10 and 11.

ONNX Runtime's provider serves the engines, and builds them without layer information. The proof is an engine of the
same file, shapes and timing cache, built here with it. In a strongly typed network both have the types of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from distill.core.errors import MissingExtra, UserError
from distill.core.files import replacing

_ALWAYS_TYPED = 11
"""From this version on there is no other kind of network, and no flag for it."""


def parsed(model: Path) -> tuple[Any, Any, Any]:
    """TensorRT's builder, its strongly typed network of an ONNX file, and the parser, which the network needs.

    Raises: UserError with the parser's own words; MissingExtra without TensorRT.
    """
    trt = _tensorrt()
    builder = trt.Builder(_logger())
    typed = 0 if _major(trt) >= _ALWAYS_TYPED else 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = trt.OnnxParser(network, _logger())
    if not parser.parse_from_file(str(model)):
        found = "; ".join(str(parser.get_error(number)) for number in range(parser.num_errors))
        raise UserError("TensorRT cannot read the ONNX file", where=str(model), found=found or "no reason given")
    return builder, network, parser


def layer_information(model: Path, profiles: Sequence[Mapping[str, Any]], timing: Path | None = None) -> str:
    """Build an engine of an ONNX file and return what the inspector says of its layers, JSON.

    Args: profiles: as of `profiles.profiles`, all in one engine. timing: a cache of kernel timings, used and kept.
    Raises: UserError when TensorRT cannot read the file or build it; MissingExtra without TensorRT.
    """
    trt = _tensorrt()
    builder, network, _parser = parsed(model)
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    for one in profiles:
        shapes = builder.create_optimization_profile()
        for name in one["inputs"]:
            shapes.set_shape(name, *zip(one["batch"], one["tokens"], strict=True))
        config.add_optimization_profile(shapes)
    if timing is not None:
        stored = timing.read_bytes() if timing.is_file() else b""
        config.set_timing_cache(config.create_timing_cache(stored), ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise UserError("TensorRT cannot build an engine", where=str(model), do="see what it printed above")
    if timing is not None:
        with replacing(timing) as partial:
            partial.write_bytes(bytes(config.get_timing_cache().serialize()))
    engine = trt.Runtime(_logger()).deserialize_cuda_engine(plan)
    return str(engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON))


def _tensorrt() -> Any:
    try:
        import tensorrt
    except (ImportError, OSError) as error:
        raise MissingExtra(f"TensorRT ({error})", "gpu,tensorrt") from error
    return tensorrt


@cache
def _logger() -> Any:
    """TensorRT keeps the first one that a process gives it."""
    trt = _tensorrt()
    return trt.Logger(trt.Logger.WARNING)


def _major(trt: Any) -> int:
    return int(str(trt.__version__).partition(".")[0])
