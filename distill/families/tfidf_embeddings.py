"""A classical model over TF-IDF and the embeddings of an encoder that is not trained."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.progress import progress
from distill.core.rendering import Encoded
from distill.core.view import TOKENIZER_FILE, View
from distill.evaluation.metrics import FloatArray
from distill.families.classical import (
    ClassicalSettings,
    TermWeights,
    fit_model,
    learnt_targets,
    load_model,
    model_logits,
    save_model,
    text_of,
)
from distill.families.family import CONFIG_FILE, DEFAULT, Facts, Family, Lesson, Opening, learnt_rows, renderer
from distill.families.small import inner_sizes, named, require_encoder, take_encoder
from distill.families.starting import source_model
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import CHUNK_ROWS, Logits, Progress, Row, Scorer

if TYPE_CHECKING:
    from distill.training.learnt_rows import LearntRows

_LEAST = 1e-6  # deviation of a feature that is the same for all rows


@dataclass(frozen=True)
class Read:
    """A record as the encoder reads it, and its text for the terms. Its tokens and cuts are the encoder's."""

    encoded: Encoded
    text: str

    @property
    def tokens(self) -> int:
        """Of the whole text, by the encoder's tokenizer."""
        return self.encoded.tokens

    @property
    def cut_tokens(self) -> int:
        """Those that the encoder does not read; TF-IDF does."""
        return self.encoded.cut_tokens

    @property
    def read_tokens(self) -> int:
        """Those that it reads."""
        return self.encoded.read_tokens


@dataclass(frozen=True)
class Features:
    """What the model reads: TF-IDF where it is wanted, and standardised embeddings of about the same length.

    Attributes: terms: None: embeddings alone. mean, deviation: float64 (H,), of the embeddings of the training rows.
    """

    terms: TermWeights | None
    mean: FloatArray
    deviation: FloatArray

    def of(self, weights: Any, embeddings: NDArray[np.floating[Any]]) -> Any:
        """Features (N, F). Args: weights: of the terms (N, terms), None without. embeddings: (N, H)."""
        from scipy import sparse

        scaled = (embeddings - self.mean) / self.deviation / np.sqrt(len(self.mean))
        if weights is None:
            return scaled
        if sparse.issparse(weights):
            return sparse.hstack([weights, sparse.csr_matrix(scaled)], format="csr")
        return np.concatenate([weights, scaled], axis=1)


class EmbeddingScorer(Scorer):
    """Encoder, terms and model behind a view. Args: embed: whose logits are the embeddings."""

    def __init__(self, folder: Path, embed: RunnerScorer) -> None:
        self._embed = embed
        self._model, arrays, self._objective = load_model(folder)
        stored = read_json(folder / CONFIG_FILE)
        own, self._classes = stored["distill"], len(stored["id2label"])
        terms = TermWeights.restored(folder, arrays, own["ngrams"]) if own["words"] else None
        self._features = Features(terms, arrays["mean"], arrays["deviation"])

    def prepare(self, rows: Sequence[Row]) -> list[Read]:
        """Records tokenised, with their texts."""
        encoded = self._embed.prepare(rows)
        return [Read(one, text_of(self._embed.renderer, row)) for one, row in zip(encoded, rows, strict=True)]

    def answer(self, prepared: Sequence[Read], on_progress: Progress | None = None) -> Logits:
        """Logits (N, K)."""
        embeddings = self._embed.answer([one.encoded for one in prepared], on_progress)
        terms = self._features.terms
        weights = None if terms is None else terms.of([one.text for one in prepared])
        return model_logits(self._model, self._features.of(weights, embeddings), self._classes, self._objective)

    def keys(self, prepared: Sequence[Read]) -> list[Hashable]:
        """What the encoder reads, and the texts."""
        read = self._embed.keys([one.encoded for one in prepared])
        return [(ids, one.text) for ids, one in zip(read, prepared, strict=True)]


class TfidfEmbeddings(Family):
    """Embeddings: the mean over tokens of the last states of the source, which is kept in the model's folder."""

    name = "tfidf_embeddings"
    starts = True
    optimised = False
    reads_view = True
    runtime = "scikit-learn"
    precision = "fp64"

    class Settings(ClassicalSettings):
        """The keys of its own that an entry may have."""

        words: bool = Field(True, description="whether TF-IDF stands beside the embeddings")

    def require(self, model: Any) -> None:
        """Check that the model's encoder can be read whole. Raises: UserError where weights of it are missing."""
        require_encoder(model)

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Embed the rows, then fit on gold, and on soft labels where the lesson has some.

        Raises: UserError without usable soft labels, for texts without any word, and for a source that is not the
            encoder of its family.
        """
        from distill.training import device

        _keep_encoder(lesson, folder)
        learnt, kind = learnt_rows(lesson, folder), lesson.space.objective
        embed = _embedder(folder, Opening(lesson.threads, device=device.device()))
        embeddings = _embedded(embed, lesson, learnt)
        try:
            texts = (text_of(embed.renderer, record.fields) for record in learnt.records(lesson.records))
            terms, weights = TermWeights.fit(texts, config, lesson.seed) if config.words else (None, None)
        except ValueError as error:
            do = "give the view fields with words, or leave TF-IDF out (words: false)"
            raise UserError("cannot fit words", where=f"views.{lesson.view}", found=error, do=do) from None
        features = Features(terms, embeddings.mean(0), np.maximum(embeddings.std(0), _LEAST))
        read = features.of(weights, embeddings)
        model = fit_model(read, learnt_targets(learnt, kind), config, kind, lesson.seed)
        if terms is not None:
            terms.save_terms(folder)
        more = {**(terms.arrays if terms else {}), "mean": features.mean, "deviation": features.deviation}
        own = {"ngrams": config.ngrams, "model": config.model, "words": config.words}
        save_model(model, lesson.space, folder, more, own)

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """Encoder and model behind the view."""
        return EmbeddingScorer(folder, _embedder(folder, how))

    def facts(self, folder: Path) -> Facts:
        """Layers of the encoder; its parameters and the model's."""
        from distill.core.model_folder import layer_count, parameter_count

        return Facts(layer_count(folder), parameter_count(folder))


def _keep_encoder(lesson: Lesson, folder: Path) -> None:
    """Write the source's encoder, its tokenizer and the view into `folder`."""
    from distill.models.pretrained import copy_tokenizer
    from distill.models.small.mean_states import MeanStates, MeanStatesConfig

    assert lesson.source is not None
    source = source_model(lesson)
    model = MeanStates(named(MeanStatesConfig(**inner_sizes(source)), lesson))
    take_encoder(model, source, lesson)
    model.save_pretrained(folder)
    copy_tokenizer(lesson.source, folder)
    View(lesson.view, lesson.view_config, folder / TOKENIZER_FILE).save(folder)


def _embedder(folder: Path, how: Opening) -> RunnerScorer:
    """The encoder in a model folder, whose logits are the embeddings."""
    from distill.inference.torch_runner import TorchRunner

    runner = TorchRunner(
        folder, threads=how.threads, precision=how.precision, device=how.device, first_token_only=False
    )
    return RunnerScorer(runner, renderer(folder, how), batch_tokens=how.batch_tokens, max_rows=how.max_rows)


def _embedded(embed: RunnerScorer, lesson: Lesson, learnt: LearntRows) -> FloatArray:
    """Embeddings (N, H) of the rows that are learnt."""
    with progress(lesson.title, len(learnt)) as advance:
        chunks = _chunks(record.fields for record in learnt.records(lesson.records))
        return np.concatenate([part.logits for part in embed.score_chunks(chunks, advance)]).astype(np.float64)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in turn, 1024 at a time."""
    waiting = iter(rows)
    while some := list(islice(waiting, CHUNK_ROWS)):
        yield some
