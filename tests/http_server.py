"""A real HTTP server on this machine that answers as a language model does, from a table, and misbehaves on request."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NONSENSE, CUT, RESET, SLOW, PAGE = "nonsense", "cut", "reset", "slow", "page"


@dataclass
class Behaviour:
    """What the server answers, and what it was asked.

    Attributes:
        table: of a piece of a text, the probability of each word; the first that the message's record holds counts.
        logprobs: whether probabilities are given. model: in its replies; None: the one asked for.
        after: what comes before the record in a message; examples before it are not looked at.
        first: of a word, its first token; the word itself where none is named.
        before: what comes first of all, one for each request: a status, (status, headers), or a word of this module.
        always: what every request about a text that holds this piece meets.
        together: at which requests wait for each other before they are answered.
        asked: bodies of the requests, in order. keys: their Authorization. most: requests at the same time.
    """

    table: Mapping[str, Mapping[str, float]]
    logprobs: bool = True
    model: str | None = None
    after: str = "Text: "
    first: Mapping[str, str] = field(default_factory=dict)
    before: list[Any] = field(default_factory=list)
    always: dict[str, Any] = field(default_factory=dict)
    usage: Mapping[str, int] | None = field(default_factory=lambda: {"prompt_tokens": 50, "completion_tokens": 2})
    slow_s: float = 1.0
    think_s: float = 0.0
    together: threading.Barrier | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most: int = 0
    url: str = ""

    @property
    def prompts(self) -> list[str]:
        """The last message of each request."""
        return [body["messages"][-1]["content"] for body in self.asked]


@contextmanager
def serving(table: Mapping[str, Mapping[str, float]], **settings: Any) -> Iterator[Behaviour]:
    """A server on a free port of this machine for as long as the block lasts."""
    behaviour, lock, now = Behaviour(table, **settings), threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                now[0] += 1
                behaviour.most = max(behaviour.most, now[0])
                behaviour.asked.append(body)
                behaviour.keys.append(self.headers.get("Authorization"))
                text = body["messages"][-1]["content"].rpartition(behaviour.after)[2]
                fault = next((one for piece, one in behaviour.always.items() if piece in text), None)
                fault = behaviour.before.pop(0) if behaviour.before else fault
            try:
                time.sleep(behaviour.think_s)
                if behaviour.together is not None:
                    behaviour.together.wait()
                self._reply(body, text, fault)
            finally:
                with lock:
                    now[0] -= 1

        def _reply(self, body: dict[str, Any], text: str, fault: Any) -> None:
            if fault == RESET:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if fault == SLOW:
                time.sleep(behaviour.slow_s)
            status, headers = (fault if isinstance(fault, tuple) else (fault, {})) if fault not in _WORDS else (200, {})
            status = status or 200
            said = reply(behaviour, body, text) if status == 200 else {"error": {"message": f"no: {self.headers}"}}
            content = json.dumps(said).encode()
            if fault == NONSENSE:
                content = b'{"choices": [{"message": '
            if fault == PAGE:
                content = b"<html>welcome</html>"
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fault == CUT else content)
            if fault == CUT:
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Clients may go in the middle of a request; tests kill some."""

    server = Server(("127.0.0.1", 0), Handler)
    behaviour.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield behaviour
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_WORDS = (NONSENSE, CUT, RESET, SLOW, PAGE)


def reply(behaviour: Behaviour, body: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A chat completion: the likeliest word of the table, with its alternatives as tokens."""
    shares = next((shares for piece, shares in behaviour.table.items() if piece in text), {"?": 1.0})
    said = max(shares, key=lambda word: shares[word])
    choice: dict[str, Any] = {"message": {"role": "assistant", "content": said}, "logprobs": None}
    if behaviour.logprobs and body.get("logprobs"):
        by_token: dict[str, float] = {}
        for word, share in shares.items():
            first = behaviour.first.get(word, word)
            by_token[first] = by_token.get(first, 0.0) + share
        choice["logprobs"] = {"content": [token(by_token, behaviour.first.get(said, said), body["top_logprobs"])]}
    found = {"model": behaviour.model or body["model"], "choices": [choice]}
    return found if behaviour.usage is None else {**found, "usage": dict(behaviour.usage)}


def token(shares: Mapping[str, float], said: str, most: int) -> dict[str, Any]:
    """One token of an answer with its likeliest alternatives."""
    listed: Sequence[tuple[str, float]] = sorted(shares.items(), key=lambda one: -one[1])[:most]
    alternatives = [{"token": word, "logprob": math.log(share)} for word, share in listed]
    return {"token": said, "logprob": math.log(shares[said]), "top_logprobs": alternatives}
