"""Which texts are nearest to another one, by TF-IDF cosine of their words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

_CHUNK_ROWS = 256  # scores of so many queries at a time: 200 MB against 100,000 texts that all share a word
_AT_FIRST = 32  # texts that are ranked before more are asked for; then four times as many


class TextIndex:
    """Texts to search among. Args: texts: each one once, or equal ones are all found."""

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(token_pattern=r"(?u)\w+", sublinear_tf=True, dtype=np.float32)
        self._columns = self._vectorizer.fit_transform(texts).T.tocsr() if any(map(_has_word, texts)) else None

    def nearest(self, queries: Sequence[str], count: int) -> Iterator[list[int]]:
        """For each query the numbers of the `count` texts that are most like it, best first; none without a word."""
        return (list(islice(found, count)) for found in self.ranked(queries))

    def ranked(self, queries: Sequence[str]) -> Iterator[Iterator[int]]:
        """For each query the numbers of all texts that share a word with it, best first, ranked as they are read."""
        for start in range(0, len(queries), _CHUNK_ROWS):
            chunk = queries[start : start + _CHUNK_ROWS]
            if self._columns is None:
                yield from (iter(()) for _ in chunk)
                continue
            scores = self._vectorizer.transform(chunk) @ self._columns
            for first, end in zip(scores.indptr[:-1], scores.indptr[1:], strict=True):
                yield _best_first(scores.data[first:end], scores.indices[first:end])


def _has_word(text: str) -> bool:
    return any(sign.isalnum() or sign == "_" for sign in text)


def _best_first(scores: NDArray[np.float32], columns: NDArray[np.int32]) -> Iterator[int]:
    """The columns by their scores, sorted no further than they are asked for."""
    done, count = 0, _AT_FIRST
    while done < len(scores):
        found = _ranked(scores, columns, count)
        yield from found[done:]
        done, count = len(found), 4 * count


def _ranked(scores: NDArray[np.float32], columns: NDArray[np.int32], count: int) -> list[int]:
    """The columns of the highest scores, best first; equal scores in the order of columns."""
    if len(scores) > count:
        # Ties at the border are kept, so the result does not depend on how the partition breaks them.
        border = np.partition(scores, len(scores) - count)[len(scores) - count]
        scores, columns = scores[scores >= border], columns[scores >= border]
    return [int(column) for column in columns[np.lexsort((columns, -scores))][:count]]
