"""Where each subject of a latency benchmark runs: on a card, or on the processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.subjects import Subject
from distill.core.errors import MissingExtra, UserError
from distill.inference.providers import AUTO, CUDA, NAMES, ProviderError, candidates, short
from export.targets import target_class


def placed(subjects: Sequence[Subject], asked: str = AUTO) -> tuple[list[Subject], dict[str, str]]:
    """The subjects with what runs each, and by name why one cannot run where it was asked to.

    With `auto`, on a machine where both PyTorch and ONNX Runtime can use a card, models run there and each exported
    file on the best provider that it allows; anywhere else all run on the processor. So no speed-up compares two
    machines unless a file has no other: an int8 file stays on the processor, and its row says so.

    Raises: UserError where ONNX Runtime has no such provider.
    """
    available = _available(subjects)
    if asked != AUTO and NAMES[asked] not in available:
        found, do = f"ONNX Runtime has {', '.join(available)}", "install onnxruntime-gpu in place of onnxruntime"
        raise UserError("there is no such provider here", where=f"--provider {asked}", found=found, do=do)
    card = CUDA in available and asked != "cpu" and _torch_has_cuda()
    usable = available if card or asked != AUTO else [NAMES["cpu"]]
    found_here, left_out = list[Subject](), dict[str, str]()
    for subject in subjects:
        if subject.target is None:
            found_here.append(replace(subject, provider="cuda" if card else "cpu"))
            continue
        try:
            first = candidates(asked, target_class(subject.target).facts(), usable)[0]
            found_here.append(replace(subject, provider=short(first)))
        except ProviderError as error:
            left_out[subject.name] = str(error)
    return found_here, left_out


def _available(subjects: Sequence[Subject]) -> list[str]:
    if all(subject.target is None for subject in subjects):
        return [NAMES["cpu"]]
    try:
        from onnxruntime import get_available_providers
    except ImportError:
        raise MissingExtra("ONNX Runtime", "cpu") from None
    return list(get_available_providers())


def _torch_has_cuda() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())
