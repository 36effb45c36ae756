"""How often each token occurs in what is read of the texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from tokenizers import Tokenizer

from distill.core.project import ViewConfig
from distill.core.rendering import CHARACTERS_PER_TOKEN, LEAST_CHARACTERS, field_text
from distill.core.view import View

Row = Mapping[str, str]
_TEXTS = 2048  # tokenised together


def count_tokens(views: Sequence[View], rows: Iterable[Row]) -> Counter[int]:
    """Occurrences of each token id in the words that the views read of the rows.

    A word that a view cuts counts as a whole: else the trimmed tokenizer could read what is left of it otherwise.

    Args: views: under one tokenizer.
    """
    found: Counter[int] = Counter()
    tokenizer = Tokenizer.from_file(str(views[0].tokenizer_path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    readers = [(view.renderer().text, view.config) for view in views]
    texts = (text for row in rows for read, config in readers for text in _texts(config, row, read(row)))
    while batch := list(islice(texts, _TEXTS)):
        encoded = tokenizer.encode_batch([text for text, _ in batch], add_special_tokens=False)
        for (_, most), one in zip(batch, encoded, strict=True):
            found.update(one.ids[: _end(one.word_ids, most)])
    return found


def _texts(config: ViewConfig, row: Row, sides: tuple[str, str | None]) -> Iterator[tuple[str, int]]:
    """What a view may read of a row, each text with the most tokens of it: its sides, and fields before their cut."""
    reach = config.max_tokens * (config.windows.max if config.windows else 1)
    for text, most in [
        *((side, reach) for side in sides if side),
        *((field_text(row, name), budget) for name, budget in config.budgets.items()),
    ]:
        if text:
            yield text[: max(LEAST_CHARACTERS, CHARACTERS_PER_TOKEN * most)], most


def _end(words: Sequence[int | None], most: int) -> int:
    """The number of tokens up to the end of the word that token `most` is in."""
    end = min(most, len(words))
    while end < len(words) and words[end] is not None and words[end] == words[end - 1]:
        end += 1
    return end
