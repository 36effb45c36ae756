"""Whether a checkpoint's `tokenizer.json` reads texts as its Python tokenizer does, and what is done where not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.progress import note
from distill.models.quiet_transformers import quiet_transformers

_FILE, _SETTINGS = "tokenizer.json", "tokenizer_config.json"
_PARTS = ("model", "normalizer", "pre_tokenizer")
# What transformers 4, which read tokenizer.json, set in its parts too: lower-casing of BERT's, spaces of GPT-2's.
_OPTIONS = ("lowercase", "strip_accents", "handle_chinese_chars", "add_prefix_space")
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

    transformers 5 builds some classes anew from the vocabulary alone, where transformers 4 took normaliser,
    pre-tokenizer and model as they are stored. A file with others than its class stays as it is, but for added tokens,
    and `folder` names a class that reads it so.

    Args: folder: holds a copy of the checkpoint's tokenizer.
    Raises: UserError naming both when transformers' tokenizer cannot be stored as a tokenizer.json.
    """
    python = _python_tokenizer(checkpoint)
    text = None if python is None else _first_difference(python, folder / _FILE)
    if text is None:
        return
    both = _both(python, text)
    fast = getattr(python, "is_fast", False)
    if fast and (parts := _other_parts(python, folder / _FILE)):
        note(f"tokenizer of {checkpoint.name}: {both}; {_FILE} is kept: the other has its own {', '.join(parts)}")
        python = _as_stored(checkpoint, folder)
        text = _first_difference(python, folder / _FILE)
        if text is None:
            return
        both = _both(python, text)
    with quiet_transformers():
        if fast:
            python.save_pretrained(folder)
            again = _python_tokenizer(folder) or python
    if not fast or _first_difference(again, folder / _FILE) is not None:
        raise UserError(
            "the tokenizer's files disagree, so that its token ids would not be those of the model",
            where=str(checkpoint),
            found=both,
            do=f"store the tokenizer that the model was trained with again by save_pretrained, or mend {_FILE}",
        )
    note(f"tokenizer of {checkpoint.name}: {both}; the latter is taken, as the model was trained")


def _both(python: Any, text: str) -> str:
    return f"{_FILE} and transformers' {type(python).__name__} ({_SETTINGS}) differ on {text!r}"


def _other_parts(python: Any, file: Path) -> list[str]:
    """The parts of a tokenizer.json that transformers builds otherwise, but for options of tokenizer_config.json."""
    built, stored = (json.loads(one.to_str()) for one in (python.backend_tokenizer, Tokenizer.from_file(str(file))))
    other = [name for name in _PARTS if _without_options(built[name]) != _without_options(stored[name])]
    return [name.replace("_", "-") for name in other]


def _without_options(part: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (part or {}).items() if name not in _OPTIONS}


def _as_stored(checkpoint: Path, folder: Path) -> Any:
    """What transformers makes of tokenizer.json as it is and of added tokens; `folder` names the class for it."""
    from transformers import PreTrainedTokenizerFast

    path = folder / _SETTINGS
    write_json(path, {**(read_json(path) if path.is_file() else {}), "tokenizer_class": "PreTrainedTokenizerFast"})
    with quiet_transformers():
        return PreTrainedTokenizerFast.from_pretrained(checkpoint, local_files_only=True)


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
