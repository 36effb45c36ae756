"""A language model that labels: texts to probabilities, each asked once, as many at a time as the server takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from distill.core.errors import GateFailed, UserError
from distill.core.files import Json
from distill.core.progress import note
from distill.evaluation.metrics import FloatArray
from distill.evaluation.proportions import is_surely_above
from distill.inference.language_model.answers import AnswerStore
from distill.inference.language_model.config import STAND_IN, LanguageModelSettings
from distill.inference.language_model.prompt import Prompt, Shown, Text, request_bytes, request_key
from distill.inference.language_model.reply import Answer, Nonsense, Reader, Reply
from distill.inference.language_model.server import Server, Stopped, Unanswered
from distill.inference.language_model.spending import Spending
from distill.inference.language_model.stand_in import StandIn

_RISK = 1e-4  # of ending a run whose share without an answer is `max_failed`, at each answer
_TOLD_EVERY_S = 30.0
OK, EMPTY, FAILED = "ok", "empty", "failed"


@dataclass(frozen=True)
class Answers:
    """What a language model says of N texts.

    Attributes:
        probabilities: float64 (N, C); NaN for a text without an answer, equal ones for an empty text.
        status: `ok`, `empty` (no text, so nothing was asked), or `failed`. soft: bool (N,), whether the probabilities
            are the server's own; a hard label has the declared confidence. cost: of the requests that were made now.
    """

    probabilities: FloatArray
    status: list[str]
    soft: np.ndarray[tuple[int], np.dtype[np.bool_]]
    cost: float

    @property
    def confidence(self) -> FloatArray:
        """The largest probability of each text, float64 (N,); NaN without an answer."""
        return np.asarray(self.probabilities.max(axis=1))


@dataclass
class Tally:
    """What was answered so far, over all calls. Equal texts count once."""

    soft: int = 0
    hard: int = 0
    failed: int = 0
    requests: int = 0

    @property
    def answered(self) -> int:
        """Texts that were asked about, with an answer or without."""
        return self.soft + self.hard + self.failed


@dataclass(frozen=True)
class Expected:
    """What texts would take. Attributes: requests: to make; answered, repeated: texts without one of their own."""

    requests: int
    answered: int
    repeated: int
    input_tokens: float
    cost: float


class LanguageModel:
    """A server's model with its prompt, its stored answers and its purse.

    Args: labels: C names of the task. examples: shown in the prompt. answers: file in which replies and spending are
        kept; None: in memory. where: the entry's key in messages, `teachers.llm`.
    Raises: UserError when the file of the answers is broken.
    """

    def __init__(
        self,
        settings: LanguageModelSettings,
        labels: Sequence[str],
        examples: Sequence[Shown] = (),
        answers: Path | None = None,
        where: str = "language model",
    ) -> None:
        self._settings, self._where = settings, where
        self._prompt = Prompt(settings, labels, examples)
        self._reader = Reader(self._prompt.choices, settings.confidence, f"{where}.words")
        self._store = AnswerStore(answers)
        self._spending = Spending(settings.spend, self._store, settings.model, f"{where}.spend")
        drawn = settings.url == STAND_IN
        known = self._store.used(settings.model).requests > 0
        self._server = StandIn(self._prompt.choices) if drawn else Server(settings, where, known)
        self._most_output = settings.most_output
        self.tally, self._problem, self._lock = Tally(), "", threading.Lock()
        self._is_silent = False  # whether the last problem was a server without an answer, not one without a label
        self._ended: UserError | None = None
        self._told_at = time.monotonic()

    @property
    def spent(self) -> float:
        """What the requests to this model have cost in this run, earlier starts included."""
        return self._spending.spent

    def answer(
        self, texts: Sequence[Text], on_progress: Callable[[int], None] | None = None, *, tells_end: bool = True
    ) -> Answers:
        """The answers to N ≥ 1 texts, in their order. Equal texts, and those answered before, take no request.

        Args: on_progress: told the number of texts done so far. tells_end: whether the count is told at the end too,
            not only each half a minute.
        Raises: GateFailed as soon as it is sure that more than `max_failed` of texts like those so far have no answer;
            whether more of all have none is for the caller to count. LimitReached before a request that could exceed
            the spending limit. UserError when the key, the address or the request is refused, another model answers,
            the server is down, or label words begin alike. All answers up to then are kept.
        """
        self._server.stop.clear()
        self._ended = None
        before = self.spent
        keys = [request_key(self._prompt.request(text)) if text.whole else None for text in texts]
        asked = {key: text for key, text in zip(keys, texts, strict=True) if key is not None}
        found: dict[str, Answer | None] = {}
        for key, answer in self._answered(asked.items()):
            found[key] = answer
            self._count(answer)
            if not self._server.in_doubt:  # else the next record tells a server that is down from records without one
                self._require_answers()
            if on_progress:
                on_progress(len(texts) * len(found) // len(asked))
            if time.monotonic() - self._told_at > _TOLD_EVERY_S:
                self._tell()
        if asked:
            if tells_end:
                self._tell()
            self._require_answers()
        answers = [None if key is None else found[key] for key in keys]
        return self._assembled(answers, texts, self.spent - before)

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        note(self.told())

    def told(self) -> str:
        """How far it is, in a line."""
        count, parts = self.tally, []
        if count.hard:
            parts.append(f"{count.hard:,} as hard labels of confidence {self._settings.confidence:g}")
        if count.failed:
            parts.append(f"{count.failed:,} without an answer")
        limit = self._settings.spend.limit
        spent = f"{self.spent:.4g} spent" + (f" of {limit:g}" if limit is not None else "")
        listed = f" ({', '.join(parts)})" if parts else ""
        name = self._settings.model
        return f"{name}: {count.answered:,} texts answered{listed}, {count.requests:,} requests, {spent} in this run"

    def expected(self, texts: Iterable[Text]) -> Expected:
        """What it would take to answer texts; nothing is asked."""
        seen, answered, repeated, sizes = set[str](), 0, 0, 0
        for text in texts:
            if not text.whole:
                continue
            request = self._prompt.request(text)
            key = request_key(request)
            if key in seen:
                repeated += 1
            elif self._store.reply(key) is not None:
                answered += 1
            else:
                sizes += request_bytes(request)
                seen.add(key)
        tokens, cost = self._spending.expected(sizes, len(seen), self._most_output)
        return Expected(len(seen), answered, repeated, tokens, cost)

    def _answered(self, asked: Iterable[tuple[str, Text]]) -> Iterator[tuple[str, Answer | None]]:
        """(key, answer) of each text as it comes; None without one. An error ends the requests that were not made."""
        waiting, left = dict[Future[Answer | None], str](), iter(asked)
        with ThreadPoolExecutor(self._settings.parallel, thread_name_prefix="ask") as threads:
            try:
                while True:
                    for key, text in islice(left, max(0, 2 * self._settings.parallel - len(waiting))):
                        waiting[threads.submit(self._one, key, text)] = key
                    if not waiting:
                        return
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        yield waiting.pop(future), future.result()
            except BaseException as error:
                self._server.stop.set()
                for future in waiting:
                    future.cancel()
                if isinstance(error, Stopped) and self._ended is not None:
                    raise self._ended from None
                raise

    def _one(self, key: str, text: Text) -> Answer | None:
        """The answer to one text, stored or asked for; None where there is none."""
        try:
            stored = self._store.reply(key)
            return self._reader.read(self._asked(key, text) if stored is None else stored)
        except (Nonsense, Unanswered) as error:
            self._problem, self._is_silent = str(error), isinstance(error, Unanswered)
            return None
        except UserError as error:
            self._ended = error  # before the other threads stop for it
            self._server.stop.set()
            raise

    def _asked(self, key: str, text: Text) -> Reply:
        """The reply to a text, which is stored; one that names no label is asked for once more. Raises: as `_paid`."""
        request = self._prompt.request(text)
        reply = self._paid(request)
        if not self._reader.names_label(reply):
            reply = self._paid(request)
        self._store.keep(key, reply)
        return reply

    def _paid(self, request: Json) -> Reply:
        """The reply to a request within the limit. Raises: as `Server.ask`; LimitReached."""
        size = request_bytes(request)
        with self._spending.request(size, self._most_output):
            reply = self._server.ask(request)
            self._spending.count(size, reply, self._most_output)
        with self._lock:
            self.tally.requests += 1
        return reply

    def _count(self, answer: Answer | None) -> None:
        """Add an answer to the tally."""
        if answer is None:
            self.tally.failed += 1
        elif answer.soft:
            self.tally.soft += 1
        else:
            self.tally.hard += 1

    def _require_answers(self) -> None:
        """Check that it is not sure yet that too many texts will be without an answer. Raises: GateFailed."""
        failed, answered, most = self.tally.failed, self.tally.answered, self._settings.max_failed
        if not is_surely_above(failed, answered, most, _RISK):
            return
        remedy = "see what the server says of them" if self._is_silent else "change the prompt or the label words"
        raise GateFailed(
            "too many records are without an answer of the language model",
            where=f"{self._where}.max_failed",
            found=f"{failed} of {answered} (at most {most:.1%}); the last: {self._problem}",
            do=f"{remedy}, or allow more; every answer is kept and none is asked twice",
        )

    def _assembled(self, answers: Sequence[Answer | None], texts: Sequence[Text], cost: float) -> Answers:
        """The answers in the order of their texts."""
        classes = len(self._prompt.choices)
        unknown, equal = np.full(classes, np.nan), np.full(classes, 1 / classes)
        rows = [
            answer.probabilities if answer else unknown if text.whole else equal
            for answer, text in zip(answers, texts, strict=True)
        ]
        status = [
            OK if answer else FAILED if text.whole else EMPTY for answer, text in zip(answers, texts, strict=True)
        ]
        soft = np.array([answer is not None and answer.soft for answer in answers])
        return Answers(np.stack(rows), status, soft, cost)
