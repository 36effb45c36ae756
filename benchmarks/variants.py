"""Further forms of a run's models that are timed beside them: int8 teachers, other runtimes, a model beside itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from benchmarks.config import BenchConfig
from benchmarks.subjects import PYTORCH, Subject, document_teachers, reference
from distill.core.errors import UserError
from distill.inference.compiling import COMPILERS, has_compiler

INT8 = "onnx-int8"
_OPENVINO, _OPENVINO_FILE = "openvino", "benchmarks.openvino_file:OpenVinoFile"


def with_variants(
    subjects: Sequence[Subject], config: BenchConfig, folder: Path
) -> tuple[list[Subject], dict[str, str]]:
    """The subjects that the settings ask for, and by name why one cannot be made.

    Args: folder: for files that are made on the way; they have to be there while their subjects are measured.
    """
    students = [one for one in subjects if one.role == "student"]
    exported = {one.model_folder for one in students if one.export is not None}
    unasked = (
        [] if config.trained_students else [one for one in students if _trained(one) and one.model_folder in exported]
    )
    found, left_out = [one for one in subjects if one not in unasked], dict[str, str]()
    if config.int8_teachers and any(one.precision == "int8" for one in students):
        found = [*found, *_int8_teachers(found, folder)]
    if config.openvino and find_spec(_OPENVINO):
        found = [*found, *(_in_openvino(one) for one in found if one.target == "onnx_fp32" and one.provider == "cpu")]
    if config.compiled:
        again = [replace(one, name=f"{one.name}.compiled", compiled=True) for one in found if one.runtime == PYTORCH]
        if has_compiler():
            found = [*found, *again]
        else:
            left_out = dict.fromkeys((one.name for one in again), f"no compiler here: {', '.join(COMPILERS)}")
    return found, left_out


def _in_openvino(file: Subject) -> Subject:
    """The same file in the other runtime."""
    return replace(file, name=f"{file.name}.{_OPENVINO}", runtime=_OPENVINO, target=_OPENVINO_FILE, speed_only=True)


def against_itself(subjects: Sequence[Subject]) -> list[Subject]:
    """The reference twice, under two names. Raises: UserError where there is none."""
    first = reference(list(subjects))
    if first is None:
        raise UserError("no document teacher in PyTorch fp32 to measure against itself", do="name a finished run")
    return [first, replace(first, name=f"{first.name} again")]


def _trained(subject: Subject) -> bool:
    return subject.export is None


def _int8_teachers(subjects: Sequence[Subject], folder: Path) -> Iterator[Subject]:
    """Dynamic int8 of each document teacher's fp32 file. Its answers are not checked: it is there to be timed."""
    from export import int8
    from export.targets import target_class
    from export.targets.onnx_int8_dynamic import OnnxInt8Dynamic

    kind = "onnx_int8_dynamic"
    known = {one.model_folder for one in subjects if one.precision == "int8"}
    for one in document_teachers(list(subjects)):
        plain = one.target == "onnx_fp32" and one.provider == "cpu" and one.model_folder not in known
        if not plain or one.export is None:
            continue
        place = folder / f"int8-{one.model_folder.name}"
        place.mkdir(parents=True, exist_ok=True)
        int8.quantise(one.export / target_class(one.target or "").model, place / OnnxInt8Dynamic.model)
        name = f"{one.name.removesuffix('.onnx')}.{INT8}"
        yield replace(one, name=name, precision="int8", target=kind, export=place, speed_only=True)
