"""From a record to token ids, exactly as a view says. Standard library only: a bundle carries this file verbatim.

The tokenizer is passed in: a `tokenizers.Tokenizer` with truncation and padding switched off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# A field is tokenised up to so many characters per token that could be read of it, and at least so many: what lies
# beyond costs seconds, gigabytes or the process, and would be cut. Words of real texts have 2 to 10 per token.
CHARACTERS_PER_TOKEN, LEAST_CHARACTERS = 100, 10_000


@dataclass(frozen=True)
class Window:
    """One input of the encoder: token ids and segment ids of equal length, special tokens included."""

    ids: list[int]
    type_ids: list[int]


@dataclass(frozen=True)
class Encoded:
    """A record as the encoder reads it.

    Attributes:
        windows: one, or several when the view reads long right sides in windows.
        tokens: tokens of the rendered text before any cut by `max_tokens` or `budgets`, special tokens not counted;
            of a text longer than is tokenised, by the tokens of its part that is.
        cut_tokens: how many of those no window reads.
    """

    windows: list[Window]
    tokens: int
    cut_tokens: int

    @property
    def read_tokens(self) -> int:
        """Tokens that the encoder reads: of all windows, special tokens included."""
        return sum(len(window.ids) for window in self.windows)


class FieldError(ValueError):
    """A value that is no text and cannot be made one: a mapping, bytes, a list in a list."""


def field_text(row: Mapping[str, Any], path: str) -> str:
    """The text at a column path of a nested or flat record: '' for null, NaN or missing, white space squeezed.

    Lists and arrays are joined by ', ', other values written by `str`. Training and serving read every value by this
    function, so they refuse the same ones.

    Raises: FieldError naming the column and what was found.
    """
    value = lookup(row, path)
    items = value if isinstance(value, list | tuple) else (value,)
    return " ".join(", ".join(_text(item, path) for item in map(_plain, items) if item is not None).split())


def swapped(row: Mapping[str, Any], fields: Sequence[Sequence[str]]) -> dict[str, Any]:
    """A record in which each pair of fields has traded places. Args: fields: pairs of column paths."""
    pairs = [two for a, b in fields for two in ((a, b), (b, a))]
    found = {path: lookup(row, other) for path, other in pairs}
    # Text and not None, behind which a nested record would show the value that was there before.
    return {**row, **{path: "" if value is None else value for path, value in found.items()}}


def lookup(row: Mapping[str, Any], path: str) -> Any:
    """The value at a column path of a nested or flat record; None for missing, null and NaN, a list for an array."""
    value: Any = row.get(path)
    if value is None and "." in path:
        value = row
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    return _plain(value)


def has_column(row: Mapping[str, Any], path: str) -> bool:
    """Whether a nested or flat record has the column, be it null."""
    if path in row:
        return True
    head, dot, rest = path.partition(".")
    inner = row.get(head) if dot else None
    return isinstance(inner, Mapping) and has_column(inner, rest)


def name_at(row: Mapping[str, Any], path: str) -> Any:
    """The value at a column path by which a row is named, or belongs to others; None for an empty text too."""
    value = lookup(row, path)
    return None if value == "" else value


def _plain(value: Any) -> Any:
    """A value as files hold it: arrays and their numbers as Python's own, None for what stands for a missing one."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    try:
        return None if value != value else value  # NaN and NaT are unlike themselves
    except (TypeError, ArithmeticError):  # and pandas.NA and a signalling NaN have no answer to that
        return None


def _text(value: Any, path: str) -> str:
    if isinstance(value, Mapping | list | tuple | set | frozenset | bytes | bytearray):
        raise FieldError(f"column '{path}' needs text, found {type(value).__name__}")
    try:
        return str(value)
    except Exception as error:  # a foreign object may raise anything, and a number of 5,000 digits has no text
        raise FieldError(f"column '{path}' needs text, found {type(value).__name__}: {error}") from None


class Renderer:
    """Renders and tokenises records for one view.

    Args: view: the content of a `view.json`: `left`, `right`, `separator`, `max_tokens`, `budgets`, `prefixes`,
        `windows`; and the model's `pad_id`. tokenizer: a `tokenizers.Tokenizer`; its own truncation and padding are
        switched off here.
    Attributes: pad_id: the padding token, which is also the one token of a window without any. frame: the special
        tokens around the sides.
    Raises: ValueError when `max_tokens` leaves no room for text next to the special tokens. LookupError when the
        tokenizer's template leaves a side out or swaps them, or no text has a token.
    """

    def __init__(self, view: Mapping[str, Any], tokenizer: Any) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.pad_id: int = view.get("pad_id") or 0
        self.frame = Frame.of(tokenizer, bool(view.get("right")), self.pad_id)
        self.left: Sequence[str] = view["left"]
        self.right: Sequence[str] = view.get("right") or []
        self.separator: str = view.get("separator", " | ")
        self.budgets: Mapping[str, int] = view.get("budgets") or {}
        self.prefixes: Mapping[str, str] = view.get("prefixes") or {}
        self.windows: Mapping[str, Any] | None = view.get("windows")
        self.room = view["max_tokens"] - tokenizer.num_special_tokens_to_add(bool(self.right))
        if self.room < 1 + bool(self.right):
            raise ValueError(f"max_tokens {view['max_tokens']} leaves no room beside the special tokens")
        self._reach = self.room * (self.windows["max"] if self.windows else 1)

    def text(self, row: Mapping[str, Any]) -> tuple[str, str | None]:
        """The rendered sides (left, right) of a record after field budgets; right is None for single-text views."""
        left, right = (self._sides([row], paths, None)[0].text for paths in (self.left, self.right))
        return left, right if self.right else None

    def reads(self, row: Mapping[str, Any]) -> bool:
        """Whether a record has one of the view's fields, be it null."""
        return any(has_column(row, path) for path in (*self.left, *self.right))

    def unreadable(self, row: Any) -> str | None:
        """Why a record cannot be read; None where it can."""
        if not isinstance(row, Mapping):
            return f"a JSON object is needed, got {type(row).__name__}"
        try:
            " ".join(text or "" for text in self.text(row)).encode()
        except (TypeError, UnicodeEncodeError):
            return "its text is not valid Unicode (a lone surrogate)"
        except ValueError as error:
            return str(error)
        return None

    def encode(self, row: Mapping[str, Any]) -> Encoded:
        """One record as windows of token ids."""
        return self.encode_batch([row])[0]

    def encode_batch(self, rows: Sequence[Mapping[str, Any]]) -> list[Encoded]:
        """Records as windows of token ids, tokenised together."""
        lefts, lost = self._tokens(rows, self.left)
        if not self.right:
            return [self._single(*one) for one in zip(lefts, lost, strict=True)]
        rights, more = self._tokens(rows, self.right)
        return [self._pair(a, b, i + j) for a, b, i, j in zip(lefts, rights, lost, more, strict=True)]

    def _tokens(self, rows: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> tuple[list[Any], list[int]]:
        """One side of each record, tokenised; and the tokens lost of each before."""
        sides = self._sides(rows, paths, self._reach)
        # _fast leaves out the positions of tokens in the text, which nothing here reads.
        found = self.tokenizer.encode_batch_fast([side.text for side in sides], add_special_tokens=False)
        lost = [side.lost + _beyond(len(one), side.text, side.dropped) for one, side in zip(found, sides, strict=True)]
        return found, lost

    def _sides(self, rows: Sequence[Mapping[str, Any]], paths: Sequence[str], reach: int | None) -> list[_Side]:
        """One side of each record: its fields joined by the separator, empty ones left out.

        Args: reach: tokens of a field that could be read; None: of those without a budget all.
        """
        fields = [self._field(rows, path, reach) for path in paths]
        return [self._joined([field[row] for field in fields]) for row in range(len(rows))]

    def _joined(self, parts: Sequence[_Side]) -> _Side:
        text = self.separator.join(part.text for part in parts if part.text)
        return _Side(text, sum(part.lost for part in parts), sum(part.dropped for part in parts))

    def _field(self, rows: Sequence[Mapping[str, Any]], path: str, reach: int | None) -> list[_Side]:
        """One field of each record, cut to its budget and behind its prefix; '' where it is empty."""
        wholes = [field_text(row, path) for row in rows]
        texts = [_shortened(whole, self.budgets.get(path, reach)) for whole in wholes]
        found = [_Side(text, 0, len(whole) - len(text)) for whole, text in zip(wholes, texts, strict=True)]
        if path in self.budgets:
            found = self._cut(found, self.budgets[path])
        prefix = self.prefixes.get(path)
        return [_Side(prefix + one.text, one.lost, one.dropped) if prefix and one.text else one for one in found]

    def _cut(self, fields: Sequence[_Side], budget: int) -> list[_Side]:
        """Texts cut at a token border so that each encodes to at most `budget` tokens, tokenised together.

        What was dropped after a text is counted in tokens then.
        """
        encoded = self.tokenizer.encode_batch([one.text for one in fields], add_special_tokens=False)
        found = []
        for one, tokens in zip(fields, encoded, strict=True):
            total = len(tokens) + _beyond(len(tokens), one.text, one.dropped)
            text, left = self._within(one.text, tokens, budget)
            found.append(_Side(text, total - left, 0) if one.text else one)
        return found

    def _within(self, text: str, tokens: Any, budget: int) -> tuple[str, int]:
        """`text` cut so that it encodes to at most `budget` tokens; and to how many it does."""
        keep = budget
        while len(tokens) > budget:
            # A cut inside a word can split what stays into more pieces than before, and a character of several
            # tokens is kept whole: hence the loop.
            text = text[: tokens.offsets[keep - 1][1]].rstrip() if keep else ""
            tokens = self.tokenizer.encode(text, add_special_tokens=False)
            keep -= 1
        return text, len(tokens)

    def _single(self, left: Any, lost: int) -> Encoded:
        pieces, read = self._pieces(left.ids, self.room)
        windows = [self.frame.window(piece, []) for piece in pieces]
        return Encoded(windows, len(left) + lost, lost + len(left) - read)

    def _pair(self, left: Any, right: Any, lost: int) -> Encoded:
        total = len(left) + len(right)
        n_left, n_right = shared_room(len(left), len(right), self.room)
        kept = left.ids[:n_left]
        pieces, read = self._pieces(right.ids, n_right)
        windows = [self.frame.window(kept, piece) for piece in pieces]
        return Encoded(windows, total + lost, lost + total - n_left - read)

    def _pieces(self, ids: list[int], length: int) -> tuple[list[list[int]], int]:
        """`ids` cut to `length`, or to overlapping windows of that length; and how many of them are read."""
        if len(ids) <= length or self.windows is None:
            return [ids[:length]], min(len(ids), length)
        step = max(1, length - self.windows["stride"])
        most = min(self.windows["max"], 1 + -(-(len(ids) - length) // step))
        pieces = [ids[start : start + length] for start in range(0, most * step, step)]
        return pieces, min(len(ids), length + (most - 1) * step)


@dataclass(frozen=True)
class _Side:
    """The text of a side or of a field, the tokens that budgets cut of it, and the characters dropped after it."""

    text: str
    lost: int
    dropped: int


@dataclass(frozen=True)
class Frame:
    """The special tokens around and between the sides, with all segment ids, as the tokenizer's template sets them.

    Applied to lists of ids here: `Tokenizer.post_process` would also process every pair of overflowing pieces of a cut
    text, which takes time quadratic in its length.
    """

    around: tuple[list[tuple[int, int]], ...]
    types: tuple[int, ...]
    pad_id: int

    @classmethod
    def of(cls, tokenizer: Any, pair: bool, pad_id: int) -> Frame:
        """The frame of a tokenizer, read off one processed example. Raises: LookupError as `Renderer`."""
        text = _some_text(tokenizer)
        example = tokenizer.encode(text, *([text] if pair else []))
        around: list[list[tuple[int, int]]] = [[]]
        types: list[int] = []
        for token, kind, side in zip(example.ids, example.type_ids, example.sequence_ids, strict=True):
            if side is None:
                around[-1].append((token, kind))
            elif side == len(types):
                around.append([])
                types.append(kind)
        if len(types) != 1 + pair:
            raise LookupError(f"the tokenizer's template has {len(types)} of {1 + pair} sides in order")
        return cls(tuple(around), tuple(types), pad_id)

    def window(self, left: list[int], right: list[int]) -> Window:
        """The sides inside the frame; `right` stays out of a single-text frame.

        Without text and without special tokens one padding token is read: models cannot read nothing.
        """
        ids, type_ids = _split(self.around[0])
        for side, kind, after in zip((left, right), self.types, self.around[1:], strict=False):
            tokens, kinds = _split(after)
            ids = [*ids, *side, *tokens]
            type_ids = [*type_ids, *[kind] * len(side), *kinds]
        return Window(ids, type_ids) if ids else Window([self.pad_id], [0])


def _some_text(tokenizer: Any) -> str:
    """A text of at least one token: `a`, or, where that has none, the first of the vocabulary that has."""
    if len(tokenizer.encode("a", add_special_tokens=False)):
        return "a"
    for token_id in sorted(tokenizer.get_vocab().values()):
        text: str = tokenizer.decode([token_id])
        if len(tokenizer.encode(text, add_special_tokens=False)):
            return text
    raise LookupError("no text has a token in the tokenizer's vocabulary")


def _beyond(tokens: int, text: str, dropped: int) -> int:
    """The tokens in `dropped` characters after `text`, if they are as long as those in it."""
    return tokens * dropped // max(1, len(text))


def _shortened(text: str, tokens: int | None) -> str:
    """The whole words at the start of a text that could hold `tokens` tokens; all of it for None."""
    most = len(text) if tokens is None else max(LEAST_CHARACTERS, CHARACTERS_PER_TOKEN * tokens)
    return text if len(text) <= most else text[:most].rpartition(" ")[0] or text[:most]


def _split(tokens: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [token for token, _ in tokens], [kind for _, kind in tokens]


def shared_room(left: int, right: int, room: int) -> tuple[int, int]:
    """Tokens that each side may keep: the longer side gives way first, and has the odd token where both are cut.

    As `longest_first` of the tokenizers library, so that a client which leaves the cut to the tokenizer has the same.
    """
    if left + right <= room:
        return left, right
    half, rest = room // 2, room - room // 2
    if min(left, right) > half:
        return (rest, half) if left > right else (half, rest)
    return (left, room - left) if left <= right else (room - right, right)
