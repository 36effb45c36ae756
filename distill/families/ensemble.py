"""Several models of a run as one: the weighted mean of their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, PositiveFloat

from distill.core.config import Config
from distill.core.files import read_json, write_json
from distill.core.objectives.objective import Objective, objective
from distill.evaluation.metrics import mixture
from distill.families.family import CONFIG_FILE, DEFAULT, Facts, Family, Lesson, Opening, family_of
from distill.inference.scorer import Logits, Prepared, Progress, Row, Scorer, answer_in_pieces


@dataclass(frozen=True)
class Together:
    """A record as each member reads it. Its tokens and cuts are those of the first member."""

    each: tuple[Prepared, ...]

    @property
    def tokens(self) -> int:
        """Tokens of the text that the first member renders."""
        return self.each[0].tokens

    @property
    def cut_tokens(self) -> int:
        """How many of those the first member does not read."""
        return self.each[0].cut_tokens

    @property
    def read_tokens(self) -> int:
        """Tokens that all members read."""
        return sum(item.read_tokens for item in self.each)


class Mixture(Scorer):
    """Scorers behind one: each reads a record by its own view. Args: parts: scorers with their weights."""

    def __init__(self, parts: Sequence[tuple[Scorer, float]], objective: Objective) -> None:
        self._parts, self._objective = list(parts), objective

    def prepare(self, rows: Sequence[Row]) -> list[Together]:
        """Records as each member reads them."""
        return [Together(each) for each in zip(*(scorer.prepare(rows) for scorer, _ in self._parts), strict=True)]

    def answer(self, prepared: Sequence[Together], on_progress: Progress | None = None) -> Logits:
        """Logits (N, K) of the mean probabilities. Each member answers as many at once as it does by itself."""
        found: list[Logits] = []
        for (scorer, _), items in zip(self._parts, zip(*(item.each for item in prepared), strict=True), strict=True):
            told = on_progress and _share(on_progress, len(found) * len(items), len(self._parts))
            found.append(answer_in_pieces(scorer, items, told))
        logits = mixture(found, [weight for _, weight in self._parts], self._objective)
        return logits.astype(np.float32)


def _share(on_progress: Progress, before: int, members: int) -> Progress:
    """A member's progress as its part of the whole. Args: before: records done by the members before it."""
    return lambda done: on_progress((before + done) // members)


class Ensemble(Family):
    """`members: {NAME: weight}` in a teacher's entry: other models of the run, which are fitted first."""

    name = runtime = "ensemble"
    learns = False

    class Settings(Config):
        """The keys of an ensemble's entry."""

        members: Annotated[dict[str, PositiveFloat], Field(min_length=2)] = Field(
            description="weight by name of each model that it is made of"
        )

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Write down which models it is made of, by folders relative to its own."""
        total = sum(config.members.values())
        members = {name: weight / total for name, weight in config.members.items()}
        own: dict[str, Any] = {
            "kind": lesson.space.objective.name,
            "members": {f"../{lesson.members[name].name}": weight for name, weight in members.items()},
        }
        write_json(folder / CONFIG_FILE, {"distill": own, "id2label": dict(enumerate(lesson.space.labels))})

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """Every member opened by its own family."""
        stored = read_json(folder / CONFIG_FILE)
        own, classes = stored["distill"], len(stored["id2label"])
        parts = [(folder.parent / Path(place).name, weight) for place, weight in own["members"].items()]
        opened = [(family_of(path).open(path, how), weight) for path, weight in parts]
        return Mixture(opened, objective(own["kind"], classes, str(folder / CONFIG_FILE)))

    def facts(self, folder: Path) -> Facts:
        """No layers of its own; the parameters of all members."""
        members: Mapping[str, float] = read_json(folder / CONFIG_FILE)["distill"]["members"]
        found = [family_of(path).facts(path) for path in (folder.parent / Path(place).name for place in members)]
        return Facts(None, sum(facts.parameters for facts in found))
