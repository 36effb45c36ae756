"""Ray as far as a crew sees it, in this process: what it does is scripted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """As Ray's."""


class RayTaskError(RayError):
    """As Ray's. Attributes: cause: what the worker raised."""

    def __init__(self, cause):
        super().__init__(str(cause))
        self.cause = cause


@dataclass(eq=False)
class Call:
    """A method of an actor with what it is given: its number, the shard."""

    method: str
    given: tuple
    actor: Any


class FakeRay:
    """Attributes: script: what happens to a call, by its name and argument: the error that it ends with, each once.
    made: options and arguments of each actor. killed: how many. most: calls that were under way at once. silent: so
    many waits come to nothing.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, script=(), silent=0):
        self.script, self.silent = deque(script), silent
        self.made, self.killed, self.most = [], 0, 0

    def remote(self, **options):
        """The decorator of a class."""
        return lambda kind: SimpleNamespace(remote=lambda *given: self._actor(kind, options, given))

    def wait(self, calls, timeout):
        """The first call, done."""
        self.most = max(self.most, len(calls))
        if self.silent:
            self.silent -= 1
            return [], calls
        return calls[:1], calls[1:]

    def get(self, call):
        """What a call returns or raises."""
        number = call.given[0].index if call.given else None
        planned = next((one for one in self.script if one[:2] == (call.method, number)), None)
        if planned:
            self.script.remove(planned)
            raise planned[2]
        try:
            return getattr(call.actor, call.method)(*call.given)
        except Exception as error:
            raise RayTaskError(error) from error

    def kill(self, actor):
        """End an actor."""
        self.killed += 1

    def available_resources(self):
        """What is free."""
        return {"CPU": 1.0}

    def _actor(self, kind, options, given):
        self.made.append((options, given))
        actor = kind(*given)

        def method(name):
            return SimpleNamespace(remote=lambda *arguments: Call(name, arguments, actor))

        return SimpleNamespace(open=method("open"), label=method("label"))
