"""Models of other families than the encoder that another run has fitted: taken over as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.label_space import LabelSpace
from distill.core.project import ViewConfig
from distill.core.view import VIEW_FILE, View
from distill.families.family import CONFIG_FILE, Facts, Family, Lesson, family_of, is_remote

_FITTED = "give the model folder of a run: RUN/teachers/NAME or RUN/students/NAME"


class FinishedModel(Family):
    """The model folder of a run, of any family that opens: a teacher's `finished: FOLDER`, where it is no encoder.

    What is made is a model folder of the family that fitted it, so that it opens as that one does.
    """

    name = "finished_model"
    key = "finished"
    learns = False
    signs = False

    def places(self, config: Any) -> list[str]:
        """The model, and those that it is made of."""
        return [str(place) for place in _all_parts(Path(config.finished))]

    def is_remote(self, config: Any) -> bool:
        """Whether the model asks a server."""
        return is_remote(Path(config.finished))

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Copy the model; nothing is trained. Raises: UserError as `require_model`."""
        source = Path(config.finished)
        require_model(source, lesson.space, lesson.view, {lesson.view: lesson.view_config})
        family_of(source).take_over(source, folder)

    def facts(self, folder: Path) -> Facts:
        """As its own family says."""
        return family_of(folder).facts(folder)


def require_model(source: Path, space: LabelSpace, view: str, views: Mapping[str, ViewConfig]) -> None:
    """Check that a model folder, and each that it is made of, is of the task and reads what the project's views say.

    Args: view: the one that the model reads; members of an ensemble read each its own. views: by name; members whose
        view is not among them are not asked about it.
    Raises: UserError naming the folder, and what it has in place of what is needed.
    """
    for place in _all_parts(source):
        own = family_of(place)
        if not own.learns and not own.parts(place):
            raise UserError("there is no fitted model to take over", where=str(place), found=own.name, do=_FITTED)
        _require_space(place, space)
        if (place / VIEW_FILE).exists():
            _require_view(View.load(place), place, view if place == source else None, views)


def _require_space(place: Path, space: LabelSpace) -> None:
    from distill.models.encoder_config import stored_labels

    labels = tuple(stored_labels(place) or ())
    kind = (read_json(place / CONFIG_FILE).get("distill") or {}).get("kind", space.objective.name)
    if labels not in (space.labels, space.outputs) or kind != space.objective.name:
        raise UserError(
            "the finished teacher was trained for other labels",
            where=str(place),
            found=f"{', '.join(labels) or 'none'} ({kind})",
            do=f"task.labels must name them in the same order; now: {', '.join(space.labels)} ({space.objective.name})",
        )


def _require_view(own: View, place: Path, expected: str | None, views: Mapping[str, ViewConfig]) -> None:
    name = own.name if expected is None else expected
    if name in views and views[name].as_fingerprint() != own.config.as_fingerprint():
        raise UserError(
            "the finished teacher reads another view",
            where=str(place / VIEW_FILE),
            found=f"its view '{own.name}' is not the project's '{name}'",
            do=f"make views.{name} as it is there, or name the view that it reads in the teacher's entry (view: NAME)",
        )


def _all_parts(place: Path) -> Iterator[Path]:
    """A model folder and those that it is made of, however deep. Raises: UserError for one that is not there."""
    if not (place / CONFIG_FILE).is_file():
        raise UserError("there is no model", where=str(place), found=f"no {CONFIG_FILE}", do=_FITTED)
    yield place
    for part in family_of(place).parts(place):
        yield from _all_parts(part)
