"""Whether a fast way of opening a model may be taken: a few rows are read in that way and in plain fp32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.core.errors import DistillError, UserError
from distill.core.progress import note
from distill.families.family import DEFAULT, Opening, family_of, open_model
from distill.inference.backends.backend import backend
from distill.inference.providers import is_out_of_memory
from distill.inference.scorer import Logits, Row
from distill.models.encoder_config import first_line

SAMPLE_ROWS = 32


def checked(folder: Path, how: Opening, rows: Sequence[Row], limit: float) -> Opening:
    """`how`, where it changes no logit of a sample by more than `limit`; else a more exact way, and a note says which.

    That is, under bf16, the first of these that keeps the limit: in a backend that can mix precisions the last 2 layers
    in fp32, the last 4, 8, …, in another one all of them; else PyTorch in fp32. What a late layer rounds goes into the
    logits as it is, what an early one rounds is partly normalised away. A model behind a server is asked nothing here,
    and one that has no such ways is not opened. Where reading without padding or compiled fails, as on a card without
    the kernels or a machine without a whole compiler, `how` is checked without them, and a note says why.

    Args: rows: of which up to 32 are read, evenly spread.
    Raises: UserError where the model cannot be opened so at all.
    """
    plainly = replace(how, backend=DEFAULT.backend, precision="fp32", unpadded=False, compiled=False)
    own = family_of(folder)
    if how == plainly or not rows or own.precision != "fp32" or own.is_remote_at(folder):
        return how
    count = min(len(rows), SAMPLE_ROWS)
    sample = [rows[index * len(rows) // count] for index in range(count)]
    slower = replace(how, unpadded=False, compiled=False)
    try:
        fast = _logits(folder, how, sample)
    except Exception as error:  # of a kernel or a compiler, each in its own way
        if slower == how or isinstance(error, DistillError) or is_out_of_memory(error):
            raise
        note(f"{folder.name}: {_named(how)} fails here: it labels padded and not compiled ({first_line(error)})")
        return checked(folder, slower, rows, limit)
    exact = _logits(folder, plainly, sample)
    change = largest_change(fast, exact)
    if change <= limit:
        return how
    others = _more_exact(how, own.facts(folder).layers or 0)
    way = next((one for one in others if _change(folder, one, sample, exact) <= limit), plainly)
    note(_said(folder.name, how, way, f"{change:.2g} on {count} rows, precision_limit is {limit:g}"))
    return way


def _more_exact(how: Opening, layers: int) -> Iterator[Opening]:
    """`how`, which is not in fp32, in other ways from fast to exact; nothing where it is."""
    if how.precision == "fp32":
        return
    if not backend(how.backend).mixes:
        yield replace(how, precision="fp32")
        return
    count = 2
    while count < layers:
        yield replace(how, exact_layers=count)
        count *= 2


def _logits(folder: Path, how: Opening, rows: Sequence[Row]) -> Logits:
    """Of these rows, in this process alone."""
    return open_model(folder, replace(how, tokenisers=0)).score(rows).logits


def _change(folder: Path, how: Opening, rows: Sequence[Row], exact: Logits) -> float:
    """As `largest_change`; infinite for a model that cannot be opened so, whose layers share their weights."""
    try:
        return largest_change(_logits(folder, how, rows), exact)
    except UserError:
        return float("inf")


def _said(name: str, how: Opening, taken: Opening, change: str) -> str:
    instead = f"its last {taken.exact_layers} layers label" if taken.exact_layers else "it labels"
    return f"{name}: {_named(how)} changes a logit by {change}: {instead} in fp32 in {taken.backend}"


def _named(how: Opening) -> str:
    more = ", without padding," if how.unpadded else ", compiled," if how.compiled else ""
    return f"{how.precision} in {how.backend}{more}"


def largest_change(logits: Logits, exact: Logits) -> float:
    """The largest difference of two logits (N, C); infinite where one alone is no number."""
    if (np.isfinite(logits) != np.isfinite(exact)).any():
        return float("inf")
    return float(np.abs(np.where(np.isfinite(exact), logits - exact, 0)).max())
