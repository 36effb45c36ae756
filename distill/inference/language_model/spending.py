"""Money: what was spent, and a request that could exceed the limit is not made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from distill.core.errors import UserError
from distill.inference.language_model.answers import AnswerStore
from distill.inference.language_model.config import Spend
from distill.inference.language_model.reply import Reply

_BYTES_PER_TOKEN = 3.0  # before a model has said how many it counts; 4 in English, 2 to 3 in Russian


class LimitReached(UserError):
    """The next request could cost more than is left."""


class Spending:
    """The money of one model in a run.

    Args: where: the key in messages.
    """

    def __init__(self, spend: Spend, answers: AnswerStore, model: str, where: str = "spend") -> None:
        self._spend, self._answers, self._model, self._where = spend, answers, model, where
        self._changed, self._under_way, self._reserved = threading.Condition(), 0, 0.0

    @property
    def spent(self) -> float:
        """What the requests of this run have cost so far, earlier starts and other processes included."""
        used = self._answers.used(self._model)
        return self._spend.cost(used.input_tokens, used.output_tokens)

    @contextmanager
    def request(self, size: int, most_output: int) -> Iterator[None]:
        """Make one request inside the block; its most possible cost is set aside meanwhile.

        Args: size: bytes of its texts, of which no tokenizer makes more tokens. most_output: tokens of its answer.
        Raises: LimitReached when it could exceed the limit; it must not be made then.
        """
        most, limit = self._spend.cost(size, most_output), self._spend.limit
        with self._changed:
            while limit is not None and self.spent + self._reserved + most > limit:
                if not self._under_way:
                    raise self._stop(limit, most)
                self._changed.wait()  # requests under way cost less than was set aside for them
            self._under_way += 1
            self._reserved += most
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._reserved -= most
                self._changed.notify_all()

    def count(self, size: int, reply: Reply, most_output: int) -> None:
        """Count what a request used; where the server does not say, the most that it can be."""
        used_input = size if reply.input_tokens is None else reply.input_tokens
        used_output = most_output if reply.output_tokens is None else reply.output_tokens
        self._answers.add(self._model, size, used_input, used_output)

    def expected(self, sizes: int, requests: int, output_tokens: int) -> tuple[float, float]:
        """(input tokens, cost) of requests to come. Args: sizes: bytes of all. output_tokens: of each."""
        used = self._answers.used(self._model)
        tokens = sizes * used.input_tokens / used.bytes if used.bytes else sizes / _BYTES_PER_TOKEN
        return tokens, self._spend.cost(round(tokens), requests * output_tokens)

    def _stop(self, limit: float, most: float) -> LimitReached:
        used = self._answers.used(self._model)
        return LimitReached(
            "the spending limit is reached",
            where=f"{self._where}.limit",
            found=f"{self.spent:.4g} of {limit:g} spent in {used.requests:,} requests to {self._model}; "
            f"the next could cost {most:.2g}",
            do="raise the limit and give the same command again: every answer is kept and none is asked twice",
        )
