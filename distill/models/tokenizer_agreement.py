"""Whether a checkpoint's `tokenizer.json` reads texts as its Python tokenizer does, and what is done where not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from distill.core.errors import UserError
from distill.core.progress import note
from distill.models.quiet_transformers import quiet_transformers

_FILE = "tokenizer.json"
# What tokenizers settle by options outside tokenizer.json: case, accents, spaces, digits, scripts, special tokens.
_SAMPLES = (
    "drill",
    "Drill Bosch GSR-180 LI",
    "дрель Дрель ДРЕЛЬ Ёлка ёлка йод",
    "Café naïve İstanbul Straße ½ ﬁ",
    " leading,  double\tspaces\nand lines ",
    "don't it's 1234567 3.14 18V",
    "電動ドリル 钻头 드릴",
    "🔧 👩‍🔧 № 5 “quoted” – dash…",
)


def settle_tokenizer(checkpoint: Path, folder: Path) -> None:
    """Make `folder/tokenizer.json` read texts as transformers reads them with the files of `checkpoint`.

    The two part where options of `tokenizer_config.json` say otherwise than `tokenizer.json`, `do_lower_case` above
    all. Models are trained with what transformers makes of both, so this is stored then, and a line says so.

    Args: folder: holds a copy of the checkpoint's tokenizer.
    Raises: UserError naming both when transformers' tokenizer cannot be stored as a tokenizer.json.
    """
    python = _python_tokenizer(checkpoint)
    text = None if python is None else _first_difference(python, folder / _FILE)
    if text is None:
        return
    both = f"{_FILE} and transformers' {type(python).__name__} (tokenizer_config.json) differ on {text!r}"
    with quiet_transformers():
        if getattr(python, "is_fast", False):
            python.save_pretrained(folder)
            again = _python_tokenizer(folder) or python
    if not getattr(python, "is_fast", False) or _first_difference(again, folder / _FILE) is not None:
        raise UserError(
            "the tokenizer's files disagree, so that its token ids would not be those of the model",
            where=str(checkpoint),
            found=both,
            do=f"store the tokenizer that the model was trained with again by save_pretrained, or mend {_FILE}",
        )
    note(f"tokenizer of {checkpoint.name}: {both}; the latter is taken, as the model was trained")


def _python_tokenizer(checkpoint: Path) -> Any:
    """The tokenizer that transformers makes of a folder; None where it makes none."""
    from transformers import AutoTokenizer

    with quiet_transformers():
        try:
            return AutoTokenizer.from_pretrained(checkpoint, local_files_only=True, trust_remote_code=False)
        except (
            Exception
        ):  # a class that it does not know, a vocabulary that is not there: tokenizer.json is all we have
            return None


def _first_difference(python: Any, file: Path) -> str | None:
    """The first sample, or text with an added token, that the two read differently, alone or as a pair's left side."""
    own = Tokenizer.from_file(str(file))
    own.no_truncation()
    own.no_padding()
    added = {*python.get_added_vocab(), *(token.content for token in own.get_added_tokens_decoder().values())}
    for text in (*_SAMPLES, *(f"a {token} b" for token in sorted(added))):
        for right in (None, _SAMPLES[0]):
            if own.encode(text, right).ids != python(text, right)["input_ids"]:
                return text
    return None
