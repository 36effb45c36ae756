"""Encoders that were fine-tuned elsewhere: taken over as they are, then opened like any encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.label_space import LabelSpace
from distill.core.tokenizer_settings import write_settings
from distill.core.view import TOKENIZER_FILE, VIEW_FILE, View
from distill.families.encoder import Encoder
from distill.families.family import CONFIG_FILE, Lesson


class Finished(Encoder):
    """A Hugging Face classifier in a folder or on the hub; `finished: PLACE` in a teacher's entry."""

    name = key = "finished"
    starts = False
    learns = False
    together = False

    def places(self, config: Any) -> list[str]:
        """The classifier."""
        return [config.finished]

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Copy the classifier and bind it to the view; nothing is trained.

        Raises: UserError when it is no safe Hugging Face classifier with all of its weights, its labels are not the
            task's, in the task's order, or it carries a `view.json` of another view.
        """
        from distill.models import pretrained
        from distill.models.encoder import input_names, load_classifier
        from distill.models.quiet_transformers import quiet_transformers

        space, source = lesson.space, pretrained.resolve(config.finished)
        pretrained.require_safe(source)
        view = View(lesson.view, lesson.view_config, source / TOKENIZER_FILE)
        if (source / VIEW_FILE).exists():
            view.require(View.load(source), "the finished teacher")
        require_finished(source, space)
        with quiet_transformers():
            model = load_classifier(source, space.labels, space.objective, fresh_head=False)
            model.save_pretrained(folder)
        pretrained.save_tokenizer(source, folder)
        bound = View(view.name, view.config, folder / TOKENIZER_FILE)
        bound.save(folder)
        write_settings(bound, folder, input_names(model))


def is_nameless(source: Path) -> bool:
    """Whether the classes of a classifier have no names, which would say in which order they are."""
    from distill.models.encoder_config import no_names, stored_labels

    found = stored_labels(source) or []
    return found == no_names(len(found))


def require_finished(source: Path, space: LabelSpace) -> None:
    """Check that a folder holds a classifier of the task's kind and labels, in the task's order. Raises: UserError."""
    from distill.models.encoder_config import no_names, require_labels, stored_labels

    # Without a head of its own it would be given one of random weights.
    config = read_json(source / CONFIG_FILE)
    names = config.get("architectures") or []
    if not any("SequenceClassification" in name for name in names):
        raise UserError(
            "the finished teacher has no classification head",
            where=str(source / CONFIG_FILE),
            found=f"architectures {names}",
            do="give the folder of a fine-tuned classifier, or fine-tune this encoder with --checkpoint",
        )
    kind, needed = config.get("problem_type"), space.objective.problem_type
    if kind not in (None, needed):
        raise UserError(
            "the finished teacher was trained for another kind of task",
            where=str(source / CONFIG_FILE),
            found=f"problem_type {kind}",
            do=f"task.kind must be the one that it was trained for; now: {space.objective.name} ({needed})",
        )
    require_labels(source)
    found = stored_labels(source) or []
    if found not in (list(space.outputs), no_names(len(space.outputs))):
        raise UserError(
            "the finished teacher was trained for other labels",
            where=str(source),
            found=", ".join(found),
            do=f"task.labels must name them in the same order; now: {', '.join(space.labels)}",
        )
