"""Encoders that were fine-tuned elsewhere: taken over as they are, then opened like any encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.view import TOKENIZER_FILE, VIEW_FILE, View
from distill.families.encoder import Encoder
from distill.families.family import Lesson


class Finished(Encoder):
    """A Hugging Face classifier in a folder or on the hub; `finished: PLACE` in a teacher's entry."""

    name = key = "finished"
    starts = False
    learns = False

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Copy the classifier and bind it to the view; nothing is trained.

        Raises: UserError when it is no safe Hugging Face classifier, its labels are not the task's, in the task's
            order, or it carries a `view.json` of another view.
        """
        from distill.models import pretrained
        from distill.models.encoder import labels_of, load_classifier, quiet

        space, source = lesson.space, pretrained.resolve(config.finished)
        pretrained.require_safe(source)
        view = View(lesson.view, lesson.view_config, source / TOKENIZER_FILE)
        if (source / VIEW_FILE).exists():
            view.require(View.load(source), "the finished teacher")
        _require_head(source)
        found = tuple(labels_of(load_classifier(source)))
        if found not in (space.outputs, tuple(f"LABEL_{index}" for index in range(len(space.outputs)))):
            raise UserError(
                "the finished teacher was trained for other labels",
                where=str(source),
                found=", ".join(found),
                do=f"task.labels must name them in the same order; now: {', '.join(space.labels)}",
            )
        with quiet():
            load_classifier(source, space.labels, space.objective).save_pretrained(folder)
        pretrained.save_tokenizer(source, folder)
        View(view.name, view.config, folder / TOKENIZER_FILE).save(folder)


def _require_head(source: Path) -> None:
    """Refuse a bare encoder: it would be given a head of random weights."""
    found = read_json(source / "config.json").get("architectures") or []
    if not any("SequenceClassification" in name for name in found):
        raise UserError(
            "the finished teacher has no classification head",
            where=str(source / "config.json"),
            found=f"architectures {found}",
            do="give the folder of a fine-tuned classifier, or fine-tune this encoder with --checkpoint",
        )
