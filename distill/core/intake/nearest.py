"""Which texts are nearest to another one, by TF-IDF cosine of their words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_CHUNK_ROWS = 256  # scores of so many queries at a time: 200 MB against 100,000 texts that all share a word


class TextIndex:
    """Texts to search among. Args: texts: each one once, or equal ones are all found."""

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(token_pattern=r"(?u)\w+", sublinear_tf=True, dtype=np.float32)
        self._columns = self._vectorizer.fit_transform(texts).T.tocsr() if any(map(_has_word, texts)) else None

    def nearest(self, queries: Sequence[str], count: int) -> Iterator[list[int]]:
        """For each query the numbers of the `count` texts that are most like it, best first; none without a word."""
        for start in range(0, len(queries), _CHUNK_ROWS):
            chunk = queries[start : start + _CHUNK_ROWS]
            if self._columns is None:
                yield from ([] for _ in chunk)
                continue
            scores = self._vectorizer.transform(chunk) @ self._columns
            for first, end in zip(scores.indptr[:-1], scores.indptr[1:], strict=True):
                yield _ranked(scores.data[first:end], scores.indices[first:end], count)


def _has_word(text: str) -> bool:
    return any(sign.isalnum() or sign == "_" for sign in text)


def _ranked(scores: NDArray[np.float32], columns: NDArray[np.int32], count: int) -> list[int]:
    """The columns of the highest scores, best first; equal scores in the order of columns."""
    if len(scores) > count:
        # Ties at the border are kept, so the result does not depend on how the partition breaks them.
        border = np.partition(scores, len(scores) - count)[len(scores) - count]
        scores, columns = scores[scores >= border], columns[scores >= border]
    return [int(column) for column in columns[np.lexsort((columns, -scores))][:count]]
