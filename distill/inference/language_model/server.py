"""One request to an OpenAI-compatible server, tried again while that may help."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from distill.core.errors import UserError
from distill.core.files import Json
from distill.inference.language_model.config import LanguageModelSettings
from distill.inference.language_model.reply import Nonsense, Reply

if TYPE_CHECKING:
    import httpx2

_MOST_BYTES = 4 * 2**20
_LONGEST_WAIT_S, _LONGEST_BACK_OFF_S = 600.0, 60.0
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_IN_A_ROW = 3  # requests that fail for good one after another, from which on the server counts as down


class Unanswered(Exception):
    """A record that the server gives no answer for, though it is there; the message says why."""


class Unreached(Exception):
    """A try that came to no whole response; the message says why."""


class Stopped(Exception):
    """A request that was not made, because another one ended the work."""


class Server:
    """The user's server, asked by several threads at once.

    Args: where: the entry in messages, `teachers.llm`. known: whether it has accepted requests before, so that one
        which it refuses is about its own text.
    """

    def __init__(self, settings: LanguageModelSettings, where: str, known: bool = False) -> None:
        self._settings, self._where = settings, where
        self._address = f"{settings.url}/chat/completions"
        self.stop = threading.Event()
        self._lock, self._held_until, self._in_a_row, self._answered = threading.Lock(), 0.0, 0, known
        self._client: httpx2.Client | None = None
        self._key: str | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether the last requests failed for good, so that it may be down."""
        return self._in_a_row > 0

    def ask(self, request: Json) -> Reply:
        """The reply to a request, after as many tries as the settings allow.

        A connection that fails or is cut, a time-out, no chat completion, and the statuses 408, 425, 429 and 5xx are
        tried again, after `Retry-After` where the server says it, else after waits that double, each drawn between its
        half and its whole.

        Raises: Unanswered for this record alone; Stopped after `stop`; UserError where no further request can succeed:
            the key is not set, it or the address is refused, or the server is down.
        """
        problem = ""
        for number in range(self._settings.tries):
            self._wait(number)
            if self.stop.is_set():
                raise Stopped
            try:
                status, wait, body = self._send(request)
            except Unreached as error:
                problem = self._clean(str(error))
                continue
            if status == 200:
                try:
                    return self._accepted(Reply.of(body))
                except Nonsense as error:
                    problem = self._clean(str(error))
                    continue
            problem = f"status {status}: {self._said(body)}"
            if status not in _AGAIN:
                raise self._refused(status, problem)
            self._hold(wait, problem)
        raise self._given_up(problem)

    def _send(self, request: Json) -> tuple[int, str | None, bytes]:
        """(status, Retry-After, body) of one try. Raises: Unreached when there is no whole response."""
        import httpx2

        client, body = self._open(), b""
        try:
            with client.stream("POST", self._address, json=request) as response:
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > _MOST_BYTES:
                        raise Unreached(f"an answer of more than {_MOST_BYTES} bytes")
                return response.status_code, response.headers.get("Retry-After"), body
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
            raise Unreached(f"{type(error).__name__}: {error}") from error

    def _open(self) -> httpx2.Client:
        """The client, whose connections all threads share."""
        with self._lock:
            if self._client is None:
                import httpx2

                parallel, self._key = self._settings.parallel, key_of(self._settings, self._where)
                own = {"Authorization": f"Bearer {self._key}"} if self._key else {}
                self._client = httpx2.Client(
                    headers=own,
                    timeout=self._settings.timeout_s,
                    limits=httpx2.Limits(max_connections=parallel, max_keepalive_connections=parallel),
                )
            return self._client

    def _accepted(self, reply: Reply) -> Reply:
        """A reply of the model that was asked. Raises: UserError for one of another model."""
        asked, found = self._settings.model, reply.model
        if found is not None and not _same_model(asked, found):
            raise UserError(
                "the server answers with another model than was asked for",
                where=f"{self._where}.model",
                found=f"asked for '{asked}', answered by '{found[:200]}'",
                do="name the model as the server does, or start the server with the one that you want",
            )
        with self._lock:
            self._in_a_row, self._answered = 0, True
        return reply

    def _wait(self, tried: int) -> None:
        """Wait until the server may be asked, and longer after each try."""
        longest = min(_LONGEST_BACK_OFF_S, self._settings.back_off_s * 2 ** (tried - 1)) if tried else 0.0
        own = time.monotonic() + longest * random.uniform(0.5, 1.0)
        while (left := max(own, self._held_until) - time.monotonic()) > 0 and not self.stop.wait(left):
            pass

    def _hold(self, retry_after: str | None, problem: str) -> None:
        """Let all threads wait as long as the server asks. Raises: UserError when that is longer than 10 minutes."""
        seconds = _seconds(retry_after)
        if seconds > _LONGEST_WAIT_S:
            do = f"give the same command again in {seconds / 60:.0f} minutes: every answer is kept"
            raise UserError("the server wants to be left alone", where=self._address, found=problem, do=do)
        with self._lock:
            self._held_until = max(self._held_until, time.monotonic() + seconds)

    def _refused(self, status: int, problem: str) -> Exception:
        """What a status means that no further try will change."""
        if status in (401, 403):
            do = "set the environment variable that key_from names to a key of this server"
            return UserError("the server refuses the key", where=f"{self._where}.key_from", found=problem, do=do)
        if status in (400, 413, 422) and self._answered:
            return Unanswered(problem)
        if status in (404, 405) or 300 <= status < 400:
            do = "check url, up to /chat/completions, and the model's name"
            return UserError("there is no such model or address", where=self._address, found=problem, do=do)
        do = "change what it names; a server without probabilities wants top_logprobs: 0, or fewer of them"
        return UserError("the server refuses the request", where=self._where, found=problem, do=do)

    def _given_up(self, problem: str) -> Exception:
        """A record without an answer, or, where several have none one after another, a server that is down."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row < _IN_A_ROW:
                return Unanswered(problem)
        return UserError(
            "the server does not answer",
            where=self._address,
            found=f"{self._settings.tries} tries for each of {_IN_A_ROW} records one after another; "
            f"the last: {problem}",
            do="see that it runs and that url is its API's, then give the same command again: every answer is kept",
        )

    def _said(self, body: bytes) -> str:
        """The server's words in an error's body."""
        text = body[:2000].decode(errors="replace")
        try:
            found = json.loads(body)
            found = found.get("error", found)
            text = str(found.get("message", found) if isinstance(found, dict) else found)
        except (ValueError, AttributeError, RecursionError):
            pass
        return self._clean(text)

    def _clean(self, text: str) -> str:
        """A text of the server in one line, without the key that some repeat."""
        hidden = text.replace(self._key, "***") if self._key else text
        return " ".join(hidden.split())[:300]


def key_of(settings: LanguageModelSettings, where: str) -> str | None:
    """The server's key from the environment; None where none is named. Raises: UserError when it is not set."""
    if settings.key_from is None:
        return None
    key = os.environ.get(settings.key_from, "").strip()
    if not key:
        do = f"export {settings.key_from}=…, or name the variable that has the key"
        raise UserError("the key of the server is not set", where=f"{where}.key_from", found=settings.key_from, do=do)
    if not key.isascii() or not key.isprintable():
        do = "set it to the key as the server gave it"
        raise UserError("the key has characters that no key has", where=f"{where}.key_from", found="not shown", do=do)
    return key


def _same_model(asked: str, found: str) -> bool:
    """Whether two names are of one model: servers add a date or a folder, or leave one out."""
    one, other = (name.casefold().rstrip("/").rpartition("/")[2] for name in (asked, found))
    return one.startswith(other) or other.startswith(one)


def _seconds(retry_after: str | None) -> float:
    """Seconds in a Retry-After header, a number or a date; 0 for none and for what is neither."""
    if retry_after is None:
        return 0.0
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
