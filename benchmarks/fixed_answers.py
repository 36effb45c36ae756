"""A server on this machine that answers as a language model would, from a fixed table: the same text, the same word."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY_CHARACTERS = 60


def key_of(text: str) -> str:
    """What a text is known by in the table: its first characters, white space squeezed."""
    return " ".join(text.split())[:KEY_CHARACTERS]


@contextmanager
def answering(table: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """The address of a server for as long as the block lasts.

    Args: table: probability of each word, by `key_of` the text after the last `Text: ` that begins a line.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing on the console."""

        def do_POST(self) -> None:
            """One chat completion."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][-1]["content"]
            words = table[key_of(prompt.rpartition("\nText: ")[2])]
            answer = json.dumps(_completion(body["model"], prompt, words)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _completion(model: str, prompt: str, words: Mapping[str, float]) -> Mapping[str, Any]:
    best = max(words, key=lambda word: words[word])
    listed = [{"token": word, "logprob": math.log(chance), "bytes": None} for word, chance in words.items()]
    token = {"token": best, "logprob": math.log(words[best]), "bytes": None, "top_logprobs": listed}
    return {
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": best}, "logprobs": {"content": [token]}}],
        "usage": {"prompt_tokens": len(prompt) // 4, "completion_tokens": 1},
    }
