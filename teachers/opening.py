"""How a model is opened to label: device, precision and backend as the config says, checked on a few rows."""

from __future__ import annotations

import re
from dataclasses import replace

from distill.core.errors import UserError
from distill.core.record_rows import RecordRows
from distill.families.checked_opening import checked
from distill.families.family import DEFAULT, Opening
from distill.inference.backends.backend import backend
from distill.training import device
from teachers.config import LabellingConfig
from teachers.shards import Part

_ARITHMETIC = re.compile(r"(?P<precision>\w+)( but (?P<layers>\d+) layers)?( in (?P<backend>\S+))?")


def opening(config: LabellingConfig, threads: int) -> Opening:
    """How models are opened on this machine.

    Raises: UserError for an unknown backend, and one that does not have the precision; MissingExtra.
    """
    runs = backend(config.backend)
    runs.require()
    place = runs.device(device.device())
    precision = runs.precision(config.precision, device.has_bf16(place))
    runs.require_unpadding(config.unpadded)
    runs.require_compiling(config.compiled, config.unpadded)
    how = Opening(threads, precision, place, config.batch_tokens, backend=config.backend)
    return replace(how, unpadded=config.unpadded, compiled=config.compiled, tokenisers=config.tokenisers)


def settled(part: Part, how: Opening, limit: float) -> Opening:
    """How the model of a part is opened: as `how` says where that changes no logit by more than this, or more exactly.

    The rows that are tried are the first ones of the part, so that every process and every start finds the same.
    """
    first = part.shards[0]
    with RecordRows(first.records) as rows:
        _, texts = rows.texts(first.spans)
    return checked(part.model, how, texts, limit)


def arithmetic(how: Opening) -> str:
    """What a model calculates in, as a shard's file says it: `bf16`, `bf16 but 2 layers`, `bf16 in openvino`."""
    mixed = f" but {how.exact_layers} layers" if how.exact_layers else ""
    return how.precision + mixed + ("" if how.backend == DEFAULT.backend else f" in {how.backend}")


def opening_of(said: str, threads: int) -> Opening:
    """How a model is opened on this machine to calculate in what a shard's file says, as `arithmetic` wrote it.

    Raises: UserError for anything else, and as `opening`; MissingExtra.
    """
    found = _ARITHMETIC.fullmatch(said)
    if found is None:
        do = "take the version of this package that labelled it, or label again"
        raise UserError("a shard is of an unknown arithmetic", found=said, do=do)
    name = found["backend"] or DEFAULT.backend
    runs = backend(name)
    runs.require()
    precision = runs.precision(found["precision"], hardware_has_bf16=True)
    place = runs.device(device.device())
    return Opening(threads, precision, place, backend=name, exact_layers=int(found["layers"] or 0))
