"""Training rows that read a little otherwise in every epoch: fields or tokens left out, two sides or fields swapped.

A row keeps its soft labels and its gold: what is left of it, in whichever order, is to be judged as the whole. Only
where the task declares which labels trade places with its fields do these, in gold and in soft labels. Where a loss
term reads the teacher's model, that reads what the student reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from distill.core.errors import UserError
from distill.core.rendering import Frame, Renderer, Window
from distill.training.config import AlterConfig

if TYPE_CHECKING:
    from distill.training.examples import Example

_WORD = "a"


@dataclass(frozen=True)
class Alteration:
    """What is done to the windows of a row. A field ends where the view's separator stands, in the text itself too.

    Attributes: config: how much. frame: special tokens around the sides. swapped: share of rows in the other order.
        separator: token ids between two fields. exchanged: the rows as `task.swap` exchanges them, labels too; None:
        the other order is that of the sides.
    """

    config: AlterConfig
    frame: Frame
    swapped: float = 0
    separator: tuple[int, ...] = ()
    exchanged: Sequence[Example] | None = None

    @classmethod
    def of(
        cls, config: AlterConfig, renderer: Renderer, exchanged: Sequence[Example] | None = None
    ) -> Alteration | None:
        """None where nothing is altered. Raises: UserError for what the view or its tokenizer does not allow."""
        swapped = swapped_share(config, exchanged is not None)
        thinned, turned = bool(config.field_dropout or config.word_dropout), bool(swapped) and exchanged is None
        if not thinned and not swapped:
            return None
        if not renderer.right and turned:
            raise _refusal("swapped", "a view without a right side has no sides to swap", "left alone")
        if renderer.right and (thinned or turned) and not _is_marked(renderer):
            raise _refusal("", "the tokenizer puts no token between the sides that parts them alone", "none")
        separator: tuple[int, ...] = ()
        if config.field_dropout:
            if max(len(renderer.left), len(renderer.right)) < 2:
                raise _refusal(
                    "field_dropout", "no side of the view has a second field to leave out", "one field a side"
                )
            separator = _separator(renderer)
        return cls(config, renderer.frame, swapped, separator, exchanged)

    def example(self, rows: Sequence[Example], index: int, random: np.random.Generator) -> Example:
        """A row, altered. Args: rows: as they are."""
        if self.exchanged is None:
            row = rows[index]
            return replace(row, windows=self.windows(row.windows, random))
        row = (self.exchanged if random.random() < self.swapped else rows)[index]
        return replace(row, windows=self._windows(row.windows, False, random))

    def windows(self, windows: Sequence[Window], random: np.random.Generator) -> list[Window]:
        """The windows of a row, altered; all have their sides swapped or none."""
        return self._windows(windows, random.random() < self.swapped, random)

    def _windows(self, windows: Sequence[Window], swap: bool, random: np.random.Generator) -> list[Window]:
        if not (swap or self.config.field_dropout or self.config.word_dropout):
            return list(windows)
        return [self._window(window, swap, random) for window in windows]

    def _window(self, window: Window, swap: bool, random: np.random.Generator) -> Window:
        left, right = (self._thinned(side, random) for side in _sides(self.frame, window))
        return self.frame.window(right, left) if swap else self.frame.window(left, right)

    def _thinned(self, side: list[int], random: np.random.Generator) -> list[int]:
        if self.separator:
            fields = _left_over(_split(side, self.separator), self.config.field_dropout, random)
            side = [token for number, one in enumerate(fields) for token in ([*self.separator] if number else []) + one]
        return _left_over(side, self.config.word_dropout, random)


class AlteredRows(Sequence["Example"]):
    """Examples altered when a batch asks for them, by seed, epoch and row alone, so that a resumed run reads the same.

    Args: rows: as they are. seed: of the run.
    """

    def __init__(self, rows: Sequence[Example], alteration: Alteration, seed: int) -> None:
        self._rows, self._alteration, self._seed, self._epoch = rows, alteration, seed, 0

    def __len__(self) -> int:
        """N."""
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        """The example of a row in this epoch. Args: index: 0 to N − 1."""
        random = np.random.default_rng([self._seed, self._epoch, index])
        return self._alteration.example(self._rows, index, random)

    def set_epoch(self, epoch: int) -> None:
        """Choose what is altered in this epoch."""
        self._epoch = epoch


class ExchangedRows(Sequence["Example"]):
    """Rows with their labels exchanged. Args: rows: encoded in the other order. order: of the classes, `ViewSwap`."""

    def __init__(self, rows: Sequence[Example], order: Sequence[int]) -> None:
        self._rows, self._order = rows, list(order)

    def __len__(self) -> int:
        """N."""
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        """The row with gold and soft labels of the other order. Args: index: 0 to N − 1."""
        row, order = self._rows[index], self._order
        gold, soft = (None if one is None else one[order] for one in (row.target, row.teacher_logits))
        return replace(row, target=gold, teacher_logits=soft)


def swapped_share(config: AlterConfig, declared: bool) -> float:
    """Share of rows that are read in the other order. Args: declared: whether the task has a `swap`.

    Half of them where it has: in every epoch other rows, so that an epoch costs what it did and over some of them a
    row is seen in both orders, as often in the one as in the other.
    """
    return (0.5 if declared else 0.0) if config.swapped is None else config.swapped


def _is_marked(renderer: Renderer) -> bool:
    """Whether a token that is no text stands between the sides; not the separator, which stands between fields too."""
    between = [token for token, _ in renderer.frame.around[1]]
    return bool(between) and between != renderer.tokenizer.encode(renderer.separator, add_special_tokens=False).ids


def _sides(frame: Frame, window: Window) -> tuple[list[int], list[int]]:
    """The token ids of both sides, without special tokens: the inverse of `frame.window`."""
    before, *between, after = [[token for token, _ in part] for part in frame.around]
    text = window.ids[len(before) : len(window.ids) - len(after)]
    if not between:
        # A text of no tokens, without special ones, is one padding token.
        return ([] if text == [frame.pad_id] else text), []
    border = between[0]
    place = next(start for start in range(len(text)) if text[start : start + len(border)] == border)
    return text[:place], text[place + len(border) :]


def _split(side: list[int], separator: tuple[int, ...]) -> list[list[int]]:
    """The token ids of each field."""
    fields: list[list[int]] = [[]]
    place = 0
    while place < len(side):
        if tuple(side[place : place + len(separator)]) == separator:
            fields.append([])
            place += len(separator)
        else:
            fields[-1].append(side[place])
            place += 1
    return fields


def _left_over(parts: list[Any], share: float, random: np.random.Generator) -> list[Any]:
    """The parts without a random share of them, at least one."""
    if not share or len(parts) < 2:
        return parts
    kept = random.random(len(parts)) >= share
    if not kept.any():
        kept[random.integers(len(parts))] = True
    return [part for part, stays in zip(parts, kept, strict=True) if stays]


def _separator(renderer: Renderer) -> tuple[int, ...]:
    """The token ids of the view's separator between two words. Raises: UserError when it has none of its own."""
    core = renderer.separator.strip()
    found = renderer.tokenizer.encode(f"{_WORD}{renderer.separator}{_WORD}", add_special_tokens=False)
    start = len(_WORD) + renderer.separator.find(core)
    tokens = [
        (token_id, token)
        for token_id, token, (first, last) in zip(found.ids, found.tokens, found.offsets, strict=True)
        if first < start + len(core) and last > start
    ]
    unknown = getattr(renderer.tokenizer.model, "unk_token", None)
    if not core or not tokens or unknown in [token for _, token in tokens]:
        what = "the view's separator has no token of its own, so the borders of fields are not seen"
        raise _refusal("field_dropout", what, repr(renderer.separator))
    return tuple(token_id for token_id, _ in tokens)


def _refusal(name: str, what: str, found: str) -> UserError:
    where = ".".join(filter(None, ["training.alter", name]))
    return UserError(what, where=where, found=found, do=f"take {where} out, or change the view")
