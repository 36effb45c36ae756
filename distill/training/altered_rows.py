"""Training rows that read a little otherwise in every epoch: fields or tokens left out, the two sides swapped.

A row keeps its soft labels and its gold: what is left of it, in whichever order, is to be judged as the whole. Where a
loss term reads the teacher's model, that reads what the student reads.
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

    Attributes: config: how much. frame: special tokens around the sides. separator: token ids between two fields.
    """

    config: AlterConfig
    frame: Frame
    separator: tuple[int, ...] = ()

    @classmethod
    def of(cls, config: AlterConfig, renderer: Renderer) -> Alteration | None:
        """None where nothing is altered. Raises: UserError for what the view or its tokenizer does not allow."""
        if config == AlterConfig():
            return None
        if not renderer.right and config.swapped:
            raise _refusal("swapped", "a view without a right side has no sides to swap", "left alone")
        if renderer.right and not _is_marked(renderer):
            raise _refusal("", "the tokenizer puts no token between the sides that parts them alone", "none")
        separator: tuple[int, ...] = ()
        if config.field_dropout:
            if max(len(renderer.left), len(renderer.right)) < 2:
                raise _refusal(
                    "field_dropout", "no side of the view has a second field to leave out", "one field a side"
                )
            separator = _separator(renderer)
        return cls(config, renderer.frame, separator)

    def windows(self, windows: Sequence[Window], random: np.random.Generator) -> list[Window]:
        """The windows of a row, altered; all have their sides swapped or none."""
        swap = random.random() < self.config.swapped
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
        example = self._rows[index]
        random = np.random.default_rng([self._seed, self._epoch, index])
        return replace(example, windows=self._alteration.windows(example.windows, random))

    def set_epoch(self, epoch: int) -> None:
        """Choose what is altered in this epoch."""
        self._epoch = epoch


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
