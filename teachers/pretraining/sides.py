"""Windows that say where their right side begins, whatever the segment ids of their tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

from distill.core.rendering import Frame, Window


@dataclass(frozen=True)
class SidedWindow(Window):
    """A window of two sides, or of one. Attributes: left: tokens of the left side and of the frame up to the right."""

    left: int


@dataclass(frozen=True)
class SidedFrame(Frame):
    """A frame that counts the tokens before the right side.

    Segment ids do not tell: those of RoBERTa, XLM-R and MPNet are 0 throughout.
    """

    @classmethod
    def like(cls, frame: Frame) -> SidedFrame:
        """The same frame."""
        return cls(frame.around, frame.types, frame.pad_id)

    def window(self, left: list[int], right: list[int]) -> SidedWindow:
        """As of the frame."""
        window, around = super().window(left, right), sum(map(len, self.around[:2]))
        return SidedWindow(window.ids, window.type_ids, around + len(left))
