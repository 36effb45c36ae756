"""Several models of a run as one: the weighted mean of their probabilities, or of their logits."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from distill.core.config import Config
from distill.core.files import read_json, write_json
from distill.core.objectives.objective import Objective, objective
from distill.evaluation.metrics import mixture
from distill.families.calibrating import validated_temperature
from distill.families.family import CONFIG_FILE, DEFAULT, Facts, Family, Lesson, Opening, family_of, open_model
from distill.families.model_hash import model_hash
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


Space = Literal["probability", "logit"]


@dataclass(frozen=True)
class Member:
    """One of several scorers. Attributes: temperature: that its logits are divided by first."""

    scorer: Scorer
    weight: float
    temperature: float = 1.0


class Mixture(Scorer):
    """Scorers behind one: each reads a record by its own view.

    In the space of probabilities p = Σ w·p_i, which stays unsure where the members disagree; in that of logits
    z = Σ w·z_i / T_i, whose probabilities are the normalised geometric mean Π p_i^w, which a member that rules a class
    out decides.

    Source: both pools in Genest & Zidek 1986, "Combining Probability Distributions", Statistical Science 1, section 3.
    """

    def __init__(self, parts: Sequence[Member], objective: Objective, space: Space = "probability") -> None:
        self._parts, self._objective, self._space = list(parts), objective, space
        failed = [part.scorer.most_failed for part in parts if part.scorer.most_failed is not None]
        self.most_failed = min(1.0, sum(failed)) if failed else None

    def prepare(self, rows: Sequence[Row]) -> list[Together]:
        """Records as each member reads them."""
        return [Together(each) for each in zip(*(part.scorer.prepare(rows) for part in self._parts), strict=True)]

    def answer(self, prepared: Sequence[Together], on_progress: Progress | None = None) -> Logits:
        """Logits (N, K) of the mean. Each member answers as many at once as it does by itself."""
        found: list[Logits] = []
        for part, items in zip(self._parts, zip(*(item.each for item in prepared), strict=True), strict=True):
            told = on_progress and _share(on_progress, len(found) * len(items), len(self._parts))
            found.append(answer_in_pieces(part.scorer, items, told) / np.float32(part.temperature))
        weights = np.array([part.weight for part in self._parts])
        if self._space == "logit":
            return np.asarray(np.einsum("m,mnk->nk", weights / weights.sum(), np.stack(found)), np.float32)
        return mixture(found, weights, self._objective).astype(np.float32)

    def keys(self, prepared: Sequence[Together]) -> list[Hashable] | None:
        """Those of all members; None where one does not say."""
        members = zip(*(item.each for item in prepared), strict=True)
        found = [part.scorer.keys(items) for part, items in zip(self._parts, members, strict=True)]
        known = [keys for keys in found if keys is not None]
        return list(zip(*known, strict=True)) if len(known) == len(found) else None


def _share(on_progress: Progress, before: int, members: int) -> Progress:
    """A member's progress as its part of the whole. Args: before: records done by the members before it."""
    return lambda done: on_progress((before + done) // members)


class Ensemble(Family):
    """`members: {NAME: weight}` in a teacher's entry: other models of the run, which are fitted first."""

    name = runtime = "ensemble"
    learns = False
    backends = True
    chosen = ("calibration", "calibrated: false")

    class Settings(Config):
        """The keys of an ensemble's entry."""

        members: Annotated[dict[str, PositiveFloat], Field(min_length=2)] = Field(
            description="weight by name of each model that it is made of"
        )
        space: Space = Field("probability", description="what is averaged: probability, or logit")
        calibrated: bool = Field(
            True, description="divide each member's logits by the temperature that validation gives it"
        )

    def asks(self, config: Any, labelled: Sequence[str]) -> list[str]:
        """Validation, where its members' temperatures are measured."""
        return ["valid"] if config.calibrated else []

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Write down which models it is made of, by folders relative to its own and by hashes, and their temperatures.

        By the hashes its folder is another one where a member is, for every step that reads it.
        """
        from distill.training import device

        total = sum(config.members.values())
        members = {name: weight / total for name, weight in config.members.items()}
        own: dict[str, Any] = {
            "kind": lesson.space.objective.name,
            "members": {_place(lesson.members[name], folder): weight for name, weight in members.items()},
            "space": config.space,
            "hashes": {_place(lesson.members[name], folder): model_hash(lesson.members[name]) for name in members},
        }
        if config.calibrated:
            how, kind = Opening(lesson.threads, device=device.device()), lesson.space.objective
            places = [lesson.members[name] for name in members]
            own["temperatures"] = {
                _place(place, folder): validated_temperature(place, lesson.records, kind, how) for place in places
            }
        write_json(folder / CONFIG_FILE, {"distill": own, "id2label": dict(enumerate(lesson.space.labels))})

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """Every member opened by its own family."""
        stored = read_json(folder / CONFIG_FILE)
        own, classes = stored["distill"], len(stored["id2label"])
        temperatures = own.get("temperatures", {})
        parts = []
        for place, weight in own["members"].items():
            path = _member(place, folder)
            parts.append(Member(open_model(path, how), weight, temperatures.get(place, 1.0)))
        return Mixture(
            parts, objective(own["kind"], classes, str(folder / CONFIG_FILE)), own.get("space", "probability")
        )

    def take_over(self, source: Path, folder: Path) -> None:
        """Copy its members too, into its own folder."""
        super().take_over(source, folder)
        stored = read_json(source / CONFIG_FILE)
        places = {place: f"members/{number}" for number, place in enumerate(stored["distill"]["members"], 1)}
        for place, own in places.items():
            part = _member(place, source)
            family_of(part).take_over(part, folder / own)
        moved = {
            key: {places[place]: figure for place, figure in stored["distill"][key].items()}
            for key in ("members", "temperatures", "hashes")
            if key in stored["distill"]
        }
        write_json(folder / CONFIG_FILE, {**stored, "distill": {**stored["distill"], **moved}})

    def facts(self, folder: Path) -> Facts:
        """No layers of its own; the parameters of all members."""
        known = [family_of(path).facts(path).parameters for path in self.parts(folder)]
        return Facts(None, None if None in known else sum(filter(None, known)))

    def parts(self, folder: Path) -> list[Path]:
        """Its members."""
        members: Mapping[str, float] = read_json(folder / CONFIG_FILE)["distill"].get("members", {})
        return [_member(place, folder) for place in members]


def _place(member: Path, folder: Path) -> str:
    """Where a member is, from an ensemble's folder: `../NAME`, or `../../students/NAME` in another room of the run."""
    same = member.parent == folder.parent
    return f"../{member.name}" if same else f"../../{member.parent.name}/{member.name}"


def _member(place: str, folder: Path) -> Path:
    """The folder of a member, in the run of the ensemble's own, or in its folder where another run has fitted both.

    Args: place: as `_place` or `take_over` wrote it.
    """
    first, *_ = Path(place).parts
    if first != "..":
        return folder / place
    *_, room, name = Path(place).parts
    return folder.parent / name if room == ".." else folder.parent.parent / room / name
