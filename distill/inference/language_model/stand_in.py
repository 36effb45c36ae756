"""What takes the place of a server where a plan is only performed to be timed: nothing is sent, nothing costs."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from distill.core.files import Json
from distill.inference.language_model.prompt import request_key
from distill.inference.language_model.reply import Reply


class StandIn:
    """Answers each request with one of the choices, drawn by its hash."""

    in_doubt = False

    def __init__(self, choices: Sequence[str]) -> None:
        self._choices, self.stop = choices, threading.Event()

    def ask(self, request: Json) -> Reply:
        """The drawn choice."""
        drawn = int(request_key(request)[:8], 16) % len(self._choices)
        return Reply(self._choices[drawn], input_tokens=0, output_tokens=0)
