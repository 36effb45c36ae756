"""A tokenizer that puts the view's separator between the two sides of a pair, where it puts nothing there itself.

Tokenizers of left-to-right models have no token that parts two texts: without one, the last word of the left side and
the first of the right side are read as one text. What is put between stands in the tokenizer's own template, so that
every client of `tokenizer.json` reads the same.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tokenizers import Tokenizer, processors

from distill.core.files import write_text
from distill.core.padding import pad_id
from distill.core.project import ViewConfig
from distill.core.rendering import Frame
from distill.core.view import TOKENIZER_FILE
from distill.models.encoder_config import CONFIG
from distill.models.pretrained import copy_tokenizer

_BETWEEN = "between"


def reading_folder(source: Path, view: ViewConfig, folder: Path) -> Path:
    """The folder whose tokenizer reads a view with the model in `source`: that one, or `folder`, where it is written.

    Args: folder: gets the tokenizer's files and the config, of which the padding token is read.
    """
    tokenizer = Tokenizer.from_file(str(source / TOKENIZER_FILE))
    joined = joined_sides(tokenizer, view.separator, pad_id(source, tokenizer)) if view.right else None
    if joined is None:
        return source
    copy_tokenizer(source, folder)
    shutil.copyfile(source / CONFIG, folder / CONFIG)
    write_text(folder / TOKENIZER_FILE, joined)
    return folder


def joined_sides(tokenizer: Tokenizer, separator: str, pad: int) -> str | None:
    """The `tokenizer.json` of a tokenizer with the separator's tokens between two sides; None where it has some there,
    or the separator has none.
    """
    try:
        frame = Frame.of(tokenizer, True, pad)
    except LookupError:  # a template that leaves a side out is refused where the view is read
        return None
    between = tokenizer.encode(separator, add_special_tokens=False)
    if frame.around[1] or not between.ids:
        return None
    alone = Frame.of(tokenizer, False, pad).around
    first, second = frame.types
    pair = [*_pieces(tokenizer, frame.around[0]), f"$A:{first}", f"{_BETWEEN}:{first}", f"$B:{second}"]
    marks = {token for part in (*frame.around, *alone) for token, _ in part}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[*_pieces(tokenizer, alone[0]), "$A:0", *_pieces(tokenizer, alone[1])],
        pair=[*pair, *_pieces(tokenizer, frame.around[2])],
        special_tokens=[
            *((str(tokenizer.id_to_token(one)), one) for one in sorted(marks)),
            {"id": _BETWEEN, "ids": between.ids, "tokens": between.tokens},  # type: ignore[list-item]
        ],
    )
    return json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, indent=2)


def _pieces(tokenizer: Tokenizer, tokens: list[tuple[int, int]]) -> list[str]:
    """Tokens with their segments as a template names them."""
    return [f"{tokenizer.id_to_token(token)}:{kind}" for token, kind in tokens]
