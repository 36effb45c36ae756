"""Batches for pre-training: pairs rendered as a teacher reads them, some swapped, some of their words masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distill.core.project import ViewConfig
from distill.core.rendering import Renderer
from distill.core.view import TOKENIZER_FILE, View
from distill.inference.collate import collate
from distill.training.examples import LengthGroupedSampler
from distill.training.masking import IGNORED, Ids, WholeWordMasker
from teachers.pretraining.embedding_teacher import Sides, SideTokenizer
from teachers.pretraining.pairs import Pair, Pairs
from teachers.pretraining.sides import SidedFrame, SidedWindow

UNKNOWN = -1.0
Floats = NDArray[np.float32]


class Draw(NamedTuple):
    """A row of an epoch and the row whose right side it gets."""

    epoch: int
    row: int
    partner: int


class Draws(torch.utils.data.Dataset[Draw]):
    """The rows of some pairs; the sampler chooses a row's partner, so an index is a whole draw."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        """Rows."""
        return len(self.pairs)

    def __getitem__(self, index: Draw) -> Draw:
        """The draw itself."""
        return index


class DrawSampler(torch.utils.data.Sampler[Draw]):
    """The rows of an epoch with new partners, in batches of similar length; depends only on seed and epoch.

    Args: batch_size: rows of a batch. swapped: share of rows that get another right side.
    """

    def __init__(self, pairs: Pairs, batch_size: int, swapped: float, seed: int) -> None:
        self.pairs, self.batch_size, self.swapped, self.seed, self.epoch = pairs, batch_size, swapped, seed, 0

    def __len__(self) -> int:
        """Rows."""
        return len(self.pairs)

    def set_epoch(self, epoch: int) -> None:
        """Choose the draws of this epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Draw]:
        """Draws, each row once."""
        chars = self.pairs.chars
        partners = self.pairs.partners(self.swapped, np.random.default_rng([self.seed, self.epoch]))
        lengths = chars[:, 0] + chars[partners, 1]
        order = LengthGroupedSampler(lengths, self.batch_size, self.seed)
        order.set_epoch(self.epoch)
        yield from (Draw(self.epoch, row, int(partners[row])) for row in order)


@dataclass(frozen=True)
class PretrainingCollator:
    """Draws to tensors.

    Args: renderers: by source, of sided windows. pad_id: the tokenizer's padding token. sides: tokenises them for the
        embedding teacher.
    """

    pairs: Pairs
    renderers: Mapping[str, Renderer]
    masker: WholeWordMasker
    pad_id: int
    seed: int
    sides: SideTokenizer | None = None

    def __call__(self, draws: Sequence[Draw]) -> dict[str, Tensor]:
        """input_ids, attention_mask, token_type_ids, sides (B, S) and the targets.

        sides is 0 up to the right side, then 1; mlm (B, S) is -100 wherever no word is masked; pair_matching (B,) is -1
        for single texts; token_overlap (B, S) and overlap_shares (B, 2) are those of `token_overlap`, with -1 for the
        tokens of masked words too. With an embedding teacher also teacher_ids and teacher_mask of the left, then the
        right sides (2B, S'), and present (2B,).
        """
        windows = [self._window(draw) for draw in draws]
        batch = collate(windows, self.pad_id)
        batch["sides"] = sides_of(windows, batch["input_ids"].shape[1])
        random = np.random.default_rng([self.seed, *draws[0], *draws[-1]])
        overlap, shares = token_overlap(batch["input_ids"], batch["sides"], self.masker.special)
        batch["input_ids"], mlm = self.masker(batch["input_ids"], random)
        overlap[mlm != IGNORED] = UNKNOWN
        targets = {"mlm": mlm, "token_overlap": overlap, "overlap_shares": shares}
        tensors = {name: torch.from_numpy(array) for name, array in {**batch, **targets}.items()}
        tensors["pair_matching"] = torch.tensor([self._matches(draw) for draw in draws])
        return {**tensors, **(self.sides(self._texts(draws)) if self.sides else {})}

    def _window(self, draw: Draw) -> SidedWindow:
        left, right = self._pair(draw)
        renderer = self.renderers[self.pairs.pairs[draw.row].source]
        fields = dict(zip([*renderer.left, *renderer.right], [*left, *right], strict=True))
        window = renderer.encode(fields).windows[0]
        assert isinstance(window, SidedWindow)
        return window

    def _pair(self, draw: Draw) -> tuple[tuple[str, ...], tuple[str, ...]]:
        pairs: Sequence[Pair] = self.pairs.pairs
        return pairs[draw.row].left, pairs[draw.partner].right

    def _matches(self, draw: Draw) -> float:
        return float(draw.row == draw.partner) if self.pairs.paired[draw.row] else UNKNOWN

    def _texts(self, draws: Sequence[Draw]) -> Sides:
        both = [self._pair(draw) for draw in draws]
        return [[" ".join(text for text in side if text) for side in sides] for sides in zip(*both, strict=True)]


def sides_of(windows: Sequence[SidedWindow], length: int) -> Ids:
    """The side of each token, 0 or 1, int64 (B, S); of padding that of the last one. Args: length: S."""
    return (np.arange(length) >= np.array([[window.left] for window in windows])).astype(np.int64)


def token_overlap(ids: Ids, sides: Ids, special: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Which tokens the other side has too.

    Args: ids, sides: tokens and their sides, 0 or 1, int64 (B, S). special: by id, tokens that do not count.
    Returns: float32 (B, S), 1 or 0, -1 for special tokens and in rows that have a side without any other; and the share
        of ones on either side, float32 (B, 2), 0 in such rows.
    """
    overlap, shares = np.full(ids.shape, UNKNOWN, np.float32), np.zeros((len(ids), 2), np.float32)
    for row, (tokens, side) in enumerate(zip(ids, sides, strict=True)):
        left, right = (np.flatnonzero(~special[tokens] & (side == one)) for one in (0, 1))
        if not len(left) or not len(right):
            continue
        for one, (own, other) in enumerate(((left, right), (right, left))):
            overlap[row, own] = np.isin(tokens[own], tokens[other])
            shares[row, one] = overlap[row, own].mean()
    return overlap, shares


def renderers(views: Mapping[str, ViewConfig], encoder: Path) -> dict[str, Renderer]:
    """A renderer of sided windows for each source's view, with the encoder's tokenizer."""
    found = {name: View(name, view, encoder / TOKENIZER_FILE).renderer() for name, view in views.items()}
    for one in found.values():
        one.frame = SidedFrame.like(one.frame)
    return found
