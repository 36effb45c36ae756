"""What views read of a sample of each split: token lengths, texts that are alike, fields that are never read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from distill.core.files import Json, sha256
from distill.core.intake import lengths
from distill.core.intake.lengths import Lengths
from distill.core.intake.words import tokenizer_or_words
from distill.core.project import Project
from distill.core.records import Record
from distill.core.rendering import Renderer
from distill.core.view import renderer_with


class TokenFigures:
    """The figures of samples that are measured one after the other, so that the texts of one alone are held.

    Args: tokenizers: view to `tokenizer.json`; views without one count words and signs. rows: of all samples together.
    Raises: UserError for a tokenizer that cannot be read.
    """

    def __init__(self, project: Project, tokenizers: Mapping[str, Path], rows: int) -> None:
        self._tokenizers = tokenizers
        self._renderers = {name: _renderer(project, name, tokenizers.get(name)) for name in project.views}
        self._lengths: dict[str, dict[str, Lengths]] = {name: {} for name in self._renderers}
        self._rows: dict[str, int] = {}
        self._same_texts = 0
        self._every, self._apart = max(1, rows // lengths.FIELD_ROWS), list[Record]()

    def add(self, split: str, sample: Sequence[Record]) -> None:
        """Measure the sample of a split."""
        for name, renderer in self._renderers.items():
            self._lengths[name][split] = lengths.measure(renderer, sample)
        self._same_texts += lengths.same_texts(self._renderers, sample)
        self._apart += sample[-sum(self._rows.values()) % self._every :: self._every]  # of all samples end to end
        self._rows[split] = len(sample)

    def as_json(self) -> Json:
        """Of `audit.json`: tokenizer, token_rows, tokens, histograms, unread_share, unread_fields, same_text_share."""
        rows, parts = sum(self._rows.values()), {name: list(own.values()) for name, own in self._lengths.items()}
        fields = {
            name: found
            for name, renderer in self._renderers.items()
            if name in self._tokenizers and (found := lengths.unread_fields(renderer, self._apart))
        }
        return {
            "tokenizer": {name: self._tokenizer(name) for name in self._renderers},
            "token_rows": self._rows,
            "tokens": {
                name: {split: lengths.quantiles(part) for split, part in own.items()}
                for name, own in self._lengths.items()
            },
            "histograms": {name: lengths.histogram(own) for name, own in parts.items()},
            "unread_share": {name: lengths.unread_share(own) for name, own in parts.items()},
            **({"unread_fields": fields} if fields else {}),
            "same_text_share": self._same_texts / rows if rows else 0.0,
        }

    def _tokenizer(self, view: str) -> str:
        return sha256(self._tokenizers[view]) if view in self._tokenizers else "words"


def _renderer(project: Project, name: str, tokenizer: Path | None) -> Renderer:
    return renderer_with(name, project.views[name].model_dump(mode="json"), tokenizer_or_words(tokenizer))
