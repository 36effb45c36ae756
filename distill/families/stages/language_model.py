"""A language model: what no cheaper stage is sure of is asked of a server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from distill.core.files import read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.view import View
from distill.families.family import Lesson, Opening, renderer
from distill.families.http_llm import HttpLlm, asked_as_now, shown_examples
from distill.families.stages.stage import Answers, Classes, Stage, StageSettings, unnamed
from distill.inference.language_model.config import STAND_IN, Asking, LanguageModelSettings, problems
from distill.inference.language_model.language_model import LanguageModel
from distill.inference.language_model.prompt import Shown
from distill.inference.language_model.server import key_of
from distill.inference.language_model.shown import shown_texts
from distill.inference.scorer import Row

_HERE = "stages: language_model.server"
_SHOWN_FILE = "shown.json"
_PROMPT = """\
Assign one label to the text below. The labels are:
{labels}

{examples}
Text: {record}

Answer with {choices}, and nothing else."""


def _with_prompt(value: Any) -> Any:
    return {"prompt": _PROMPT, **value} if isinstance(value, Mapping) else value


class LanguageModelStage(Stage):
    """The label words' probabilities by a server, as the family `http_llm` asks for them; see docs/language_model.md.

    A text that the server gave no answer to goes on to the next stage. Answers are kept for the run, so that none is
    paid twice.
    """

    name = "language_model"
    piece: ClassVar[int] = 64

    class Settings(StageSettings):
        """The keys of this stage."""

        server: Annotated[LanguageModelSettings | None, BeforeValidator(_with_prompt)] = Field(
            None, description="url, model and the other keys of http_llm; prompt: by default one that lists the labels"
        )

        def kept(self) -> dict[str, Any]:
            """All but how requests are made."""
            return self.model_dump(mode="json", exclude={"server": set(Asking.model_fields)})

        def as_fingerprint(self, *leave_out: str) -> dict[str, Any]:
            """Of the server, what its answers depend on."""
            found = super().as_fingerprint("server", *leave_out)
            return found if self.server is None else {**found, "server": self.server.asked()}

    def __init__(self, settings: Any, classes: Classes, folder: Path, how: Opening) -> None:
        super().__init__(settings, classes, folder, how)
        stored = read_json(folder / _SHOWN_FILE)
        shown = [Shown(*one) for one in stored["shown"]]
        answers = folder / stored["answers"] if "answers" in stored else None
        self._model = LanguageModel(settings.server, classes.space.labels, shown, answers, _HERE)
        self._renderer = renderer(folder.parent.parent, how)

    @classmethod
    def problems(cls, settings: Any, space: LabelSpace) -> Iterator[str]:
        """Labels and words of the server's that the task has not, or that cannot be told apart."""
        if settings.server is not None:
            for line in problems(settings.server, space.labels, space.objective.several):
                yield f"server.{line}"

    @classmethod
    def asks(cls, settings: Any) -> list[str]:
        """Training rows, where examples are drawn from them."""
        return HttpLlm().asks(settings.server, []) if settings.server is not None else []

    @classmethod
    def server(cls, settings: Any) -> LanguageModelSettings | None:
        """The server."""
        found: LanguageModelSettings | None = settings.server
        return found

    @classmethod
    def for_timing(cls, settings: Any) -> Any:
        """Answers are drawn."""
        if settings.server is None:
            return settings
        return settings.model_copy(
            update={"server": settings.server.model_copy(update={"url": STAND_IN, "key_from": None})}
        )

    @classmethod
    def stored(cls, values: Mapping[str, Any], now: Mapping[str, Any]) -> Any:
        """Its settings, asked in the way that the project says now."""
        server = values.get("server")
        found = super().stored({**values, "server": None}, now)
        if server is None:
            return found
        return found.model_copy(update={"server": asked_as_now(server, now.get("server") or {}, _HERE)})

    @classmethod
    def keep(cls, settings: Any, lesson: Lesson, source: Path | None, folder: Path) -> None:
        """The examples of the prompt. Raises: UserError without a server, or without its key."""
        server = settings.server
        if server is None:
            raise unnamed(_HERE, "server", "url and model of a server")
        key_of(server, _HERE)
        shown = shown_examples(server, lesson, View.load(folder.parent.parent).renderer())
        # As seen from the folder, so that a run can be moved.
        answers = {"answers": os.path.relpath(lesson.answers, folder)} if lesson.answers else {}
        write_json(folder / _SHOWN_FILE, {"shown": [one.as_json() for one in shown], **answers})

    def ask(self, rows: Sequence[Row], texts: Sequence[str]) -> Answers:
        """The server's answers; NaN for a text without one. Raises: as `LanguageModel.answer`."""
        before = self._model.tally.requests
        # Rows come in many small pieces, and what they cost is told of the stage as a whole.
        found = self._model.answer([one.text for one in shown_texts(self._renderer, rows)], tells_end=False)
        return Answers(found.probabilities, self._model.tally.requests - before, found.cost)
