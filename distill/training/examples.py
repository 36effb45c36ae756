"""What a training run reads: encoded records joined to soft labels and gold, and their batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distill.core.rendering import Window
from distill.inference.collate import collate
from distill.training.encoded_rows import EncodedRows
from distill.training.learnt_rows import LearntRows

Logits = NDArray[np.float32]
VIEWS = "views"


@dataclass(frozen=True)
class Example:
    """One record, ready to be batched: its windows, and teacher logits (K,) and gold (C,) where it has them.

    `source` is the place of its split among those that are learnt from. `views` has its windows through other views,
    which a teacher reads, by the view's name.
    """

    windows: list[Window]
    teacher_logits: Logits | None
    target: Logits | None
    source: int = 0
    views: Mapping[str, list[Window]] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Tokens of the longest window."""
        return max(len(window.ids) for window in self.windows)


class Examples(Sequence[Example]):
    """The rows that a model learns from, made into an Example only when a batch asks for one.

    Args: learnt: which rows, and what of each. encoded: all rows of their splits, end to end. views: the same through
        other views, by name.
    Attributes: lengths: tokens of each row's longest window, int32 (N,).
    """

    def __init__(
        self, learnt: LearntRows, encoded: EncodedRows, views: Mapping[str, EncodedRows] | None = None
    ) -> None:
        self._learnt, self._encoded, self._source = learnt, encoded, learnt.source
        self._views = views or {}
        self.lengths = encoded.lengths[learnt.rows]

    @property
    def gold(self) -> Logits:
        """Gold of the rows that have any, float32 (rows with gold, C)."""
        rows = self._learnt.rows
        return self._learnt.target[rows[self._learnt.has_gold[rows]]]

    def __len__(self) -> int:
        """N."""
        return len(self._learnt)

    def __getitem__(self, index: Any) -> Any:
        """The example of a row. Args: index: 0 to N − 1."""
        learnt, soft = self._learnt, self._learnt.soft
        row = learnt.rows[index]
        return Example(
            self._encoded[row],
            soft.logits[row] if soft is not None and soft.labelled[row] else None,
            learnt.target[row] if learnt.has_gold[row] else None,
            int(self._source[index]),
            {name: rows[row] for name, rows in self._views.items()},
        )


def gold(examples: Sequence[Example], classes: int) -> Logits:
    """Gold of the examples that have any, float32 (N, C). Args: classes: C."""
    if isinstance(examples, Examples):
        return examples.gold
    found = [example.target for example in examples if example.target is not None]
    return np.array(found, np.float32).reshape(len(found), classes)


def lengths(examples: Sequence[Example]) -> NDArray[np.int32]:
    """Tokens of each example's longest window, int32 (N,)."""
    if isinstance(examples, Examples):
        return examples.lengths
    return np.array([example.length for example in examples], np.int32)


@dataclass(frozen=True)
class Collator:
    """Examples to tensors: the windows of all rows padded together, `owner` naming the row that each belongs to.

    Args: head_size: K, width of the teacher's logits. classes: C, width of gold. pad_id: the tokenizer's padding token.
        teacher_pad_id: that of the teacher, which reads other views.
    """

    head_size: int
    classes: int
    pad_id: int
    teacher_pad_id: int = 0

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """The tensors of a batch.

        Returns: input_ids, attention_mask, token_type_ids (W, S); owner (W,); teacher_logits (B, K); target (B, C);
            has_teacher, has_gold, source (B,). Of rows with other views also `views`: by name the input_ids,
            attention_mask, token_type_ids and owner of the windows through each.
        """
        names = examples[0].views
        views = {name: _padded([example.views[name] for example in examples], self.teacher_pad_id) for name in names}
        return {
            **_padded([example.windows for example in examples], self.pad_id),
            **({VIEWS: views} if views else {}),
            "teacher_logits": _stack([example.teacher_logits for example in examples], self.head_size),
            "target": _stack([example.target for example in examples], self.classes),
            "has_teacher": torch.tensor([example.teacher_logits is not None for example in examples]),
            "has_gold": torch.tensor([example.target is not None for example in examples]),
            "source": torch.tensor([example.source for example in examples]),
        }


def _padded(rows: Sequence[Sequence[Window]], pad_id: int) -> dict[str, Tensor]:
    """Windows of all rows padded together (W, S), and `owner` (W,)."""
    owner = [row for row, windows in enumerate(rows) for _ in windows]
    inputs = collate([window for windows in rows for window in windows], pad_id)
    return {**{name: torch.from_numpy(array) for name, array in inputs.items()}, "owner": torch.tensor(owner)}


def _stack(rows: Sequence[Logits | None], width: int) -> Tensor:
    empty = np.zeros(width, np.float32)
    return torch.from_numpy(np.stack([empty if row is None else row for row in rows]))


def doubled(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A batch of 2·B rows: those of a batch of B, and after them the same again."""
    rows = len(batch["has_gold"])
    found = {name: torch.cat([values, values]) for name, values in batch.items()}
    return {**found, "owner": torch.cat([batch["owner"], batch["owner"] + rows])}


def pool_windows(logits: Tensor, owner: Tensor, how: str) -> Tensor:
    """Logits of windows (W, K) to logits of rows (B, K), by `mean` or `max`; `owner` (W,) names each window's row."""
    rows = int(owner.max()) + 1
    if rows == len(owner):
        return logits
    index = owner.unsqueeze(1).expand_as(logits)
    reduce = "mean" if how == "mean" else "amax"
    return logits.new_zeros(rows, logits.shape[1]).scatter_reduce(0, index, logits, reduce, include_self=False)


class LengthGroupedSampler(torch.utils.data.Sampler[int]):
    """A shuffled order in which neighbours have similar lengths, so batches carry little padding.

    Rows are shuffled, cut into blocks of 50 batches and sorted by length within each; then the batches of all blocks
    are shuffled. The order depends only on seed and epoch, so a resumed run sees the rows that it would have seen.
    It is a permutation of all rows, not of blocks of neighbours: rows are read through a memory map, where any of them
    costs the same once it is in the system's cache, so files that are sorted by class or source do no harm.

    Args: on_epoch: told each epoch before its rows are read.
    """

    def __init__(
        self,
        lengths: Sequence[int] | NDArray[np.int32],
        batch_size: int,
        seed: int,
        on_epoch: Callable[[int], None] | None = None,
    ) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = np.asarray(lengths), batch_size, seed, 0
        self._on_epoch = on_epoch

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.lengths)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch
        if self._on_epoch:
            self._on_epoch(epoch)

    def __iter__(self) -> Iterator[int]:
        """Row numbers, each once."""
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(len(self.lengths))
        block = 50 * self.batch_size
        blocks = [order[start : start + block] for start in range(0, len(order), block)]
        blocks = [rows[np.argsort(-self.lengths[rows], kind="stable")] for rows in blocks]
        order = np.concatenate(blocks)
        full = len(order) // self.batch_size * self.batch_size
        batches = order[:full].reshape(-1, self.batch_size)
        for batch in random.permutation(len(batches)).tolist():  # a list of all rows would be 40 bytes for each
            yield from batches[batch].tolist()
        yield from order[full:].tolist()
