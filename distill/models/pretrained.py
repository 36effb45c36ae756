"""Pre-trained checkpoints: a user's folder or hub id as a local folder that is safe to load."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from distill.core.errors import MissingExtra, UserError
from distill.core.files import read_json
from distill.core.view import TOKENIZER_FILE, VIEW_FILE
from distill.models.quiet_transformers import quiet_transformers
from distill.models.tokenizer_agreement import settle_tokenizer

_HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?")
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]
_HUB_TIMEOUT_S = 5.0
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_PIECES = ("tokenizer.model", "sentencepiece.bpe.model", "spm.model", "spiece.model")
_PROTOBUF = b"\n"  # the first byte of a sentencepiece model; tiktoken's are text
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", *_PIECES)
_MERGES = "merges.txt"  # beside vocab.json
_RARE = "ꙮ 𓀀 𒀀"  # letters of three scripts that hardly any vocabulary has
_ADAPTER = "adapter_config.json"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_FETCH = (
    "check the name, and HF_TOKEN for a gated one; without a network (or under HF_HUB_OFFLINE=1) run elsewhere: "
    "hf download {id}{at} --local-dir FOLDER; copy it here and give its folder (--checkpoint FOLDER for teachers)"
)
_CONVERT = (
    "if you trust these files, convert them in a separate environment: python -c "
    '"from transformers import AutoModelForSequenceClassification as M, AutoTokenizer as T; '
    "M.from_pretrained('{folder}').save_pretrained('{folder}-safe', safe_serialization=True); "
    "T.from_pretrained('{folder}').save_pretrained('{folder}-safe')\" and give '{folder}-safe'"
)
_STORE_TOKENIZER = (
    "write its tokenizer.json in a separate environment (pip install 'transformers<5' sentencepiece protobuf): python "
    "-c \"from transformers import AutoTokenizer as T; T.from_pretrained('{folder}').save_pretrained('{folder}')\""
)


def resolve(checkpoint: str) -> Path:
    """The local folder of a checkpoint; a hub id is downloaded into the hub's cache (weights as safetensors only).

    Args: checkpoint: a folder, or a hub id, `owner/name`, or `owner/name@revision` for a commit, tag or pull request.
    Raises: UserError when a path does not exist, or when a hub id cannot be fetched (no network, unknown, gated,
        offline mode), or has no safetensors.
    """
    path = Path(checkpoint).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise UserError("the checkpoint is not a folder", found=checkpoint, do="give the folder that holds config.json")
    hub_id = _HUB_ID.fullmatch(checkpoint)
    if hub_id is None or ("/" in checkpoint and path.parent.is_dir()):
        raise UserError(
            "the checkpoint's folder does not exist",
            found=checkpoint,
            do="give an existing folder, or a hub id as owner/name",
        )
    return _download(checkpoint, hub_id["id"], hub_id["revision"])


def require_safe(folder: Path) -> None:
    """Check that a checkpoint folder is complete and runs no code when it is loaded.

    Raises: UserError for a missing config or tokenizer, an adapter, remote code, weights that are only pickled, absent,
        or damaged.
    """
    _require_config(folder)
    _require_weights(folder)
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise UserError("the checkpoint has no tokenizer", where=str(folder), do="add its tokenizer.json")


def vocabulary_files(folder: Path) -> list[Path]:
    """The files of a checkpoint folder that its tokenizer is made of."""
    return [folder / name for name in (*_VOCABULARIES, _MERGES) if (folder / name).is_file()]


def save_tokenizer(checkpoint: Path, folder: Path) -> None:
    """Put the tokenizer of a checkpoint made elsewhere into `folder`: `tokenizer.json` and what stands beside it.

    A checkpoint that has only a vocabulary or a sentencepiece model is converted by transformers. One whose files
    disagree is settled as transformers reads it, unless it has a `view.json`: such a model was trained with its
    tokenizer.json.

    Raises: UserError when it cannot be read, converted or settled.
    """
    if not (checkpoint / TOKENIZER_FILE).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _convert_tokenizer(checkpoint, folder)
        _require_tokenizer(folder / TOKENIZER_FILE)
        return
    _require_tokenizer(checkpoint / TOKENIZER_FILE)
    copy_tokenizer(checkpoint, folder)
    if not (checkpoint / VIEW_FILE).is_file():
        settle_tokenizer(checkpoint, folder)


def copy_tokenizer(model: Path, folder: Path) -> None:
    """Put the tokenizer that a model was trained with here, its `tokenizer.json`, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _TOKENIZER_FILES:
        if (model / name).is_file():
            shutil.copyfile(model / name, folder / name)


def _download(given: str, hub_id: str, revision: str | None) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtra("a checkpoint from the hub", "train") from None
    try:
        found = snapshot_download(hub_id, revision=revision, allow_patterns=_HUB_FILES, etag_timeout=_HUB_TIMEOUT_S)
    except Exception as error:
        raise UserError(
            "cannot fetch the checkpoint from the hub",
            where=given,
            found=f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}",
            do=_FETCH.format(id=hub_id, at=f" --revision {revision}" if revision else ""),
        ) from error
    folder = Path(found)
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            "the checkpoint on the hub has no safetensors weights, and pickled ones can run any code when opened",
            where=given,
            found=f"revision {revision or 'main'}",
            do=f"name a revision that has them, as {hub_id}@refs/pr/1 (see its pull requests), or another checkpoint",
        )
    return folder


def _require_config(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise UserError(
            "not a model folder: config.json is missing", where=str(folder), do="give the folder that holds config.json"
        )
    if (folder / _ADAPTER).is_file():
        raise UserError(
            "the checkpoint has an adapter beside its weights, which transformers would add to them",
            where=str(folder / _ADAPTER),
            do="merge it (peft's merge_and_unload) and save the model into a folder of its own, or remove the adapter",
        )
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / name
        if path.is_file() and "auto_map" in _object(path):
            raise UserError(
                "the checkpoint asks for code of its own to be run",
                where=str(path),
                found=f"auto_map {json.dumps(_object(path)['auto_map'])[:200]}",
                do="take an encoder that transformers has built in; if it has this one, delete auto_map from a copy",
            )


def _object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError("not a JSON object", where=str(path), found=type(content).__name__, do="restore the file")
    return content


def _require_weights(folder: Path) -> None:
    files = _weight_files(folder)
    if not files:
        pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
        if pickled:
            raise UserError(
                "the checkpoint has only pickled weights, which can run any code when opened",
                where=str(folder),
                found=", ".join(pickled[:3]),
                do=_CONVERT.format(folder=str(folder).rstrip("/")),
            )
        raise UserError("the checkpoint has no weights", where=str(folder), do=f"give a folder with {_WEIGHTS}")
    for path in files:
        _require_whole(path)


def _weight_files(folder: Path) -> list[Path]:
    if (folder / _INDEX).is_file():
        return sorted(folder / name for name in set(_object(folder / _INDEX).get("weight_map", {}).values()))
    return [folder / _WEIGHTS] if (folder / _WEIGHTS).is_file() else []


def _require_whole(path: Path) -> None:
    """Read a safetensors header, which states the length of the file. Raises: UserError when they do not agree."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            return
    except (OSError, SafetensorError) as error:
        raise UserError(
            "damaged or missing weights", where=str(path), found=error, do="copy or download the file again"
        ) from error


def _require_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises Exception itself
        raise UserError("cannot read the tokenizer", where=str(path), found=error, do="restore the file") from error
    try:
        tokenizer.encode(_RARE)
    except Exception as error:
        raise UserError(
            "the tokenizer has no token for characters that it does not know",
            where=str(path),
            found=error,
            do="name the unknown token that the model was trained with in it: unk_token, of Unigram unk_id",
        ) from error


def _convert_tokenizer(checkpoint: Path, folder: Path) -> None:
    from transformers import AutoTokenizer

    if (pieces := _pieces_alone(checkpoint)) is not None:
        _require_reader(pieces)
    with quiet_transformers():
        try:
            tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True, trust_remote_code=False)
        except Exception as error:
            raise UserError(
                "cannot convert the tokenizer to tokenizer.json", where=str(checkpoint), found=error
            ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            "the tokenizer has no fast form, so no tokenizer.json",
            where=str(checkpoint),
            found=type(tokenizer).__name__,
            do="take a checkpoint with tokenizer.json",
        )
    if pieces is not None:
        _require_character_map(pieces, tokenizer)
    tokenizer.save_pretrained(folder)


def _pieces_alone(checkpoint: Path) -> Path | None:
    """The sentencepiece model that a tokenizer is made of; None where there is more, or it is one of tiktoken."""
    found = vocabulary_files(checkpoint)
    if not found or any(path.name not in _PIECES for path in found):
        return None
    with found[0].open("rb") as file:
        return found[0] if file.read(1) == _PROTOBUF else None


def _require_reader(pieces: Path) -> None:
    """Check that what reads a sentencepiece model is there: transformers would ask for tiktoken. Raises: UserError."""
    from transformers.utils import import_utils as there

    packages = {"sentencepiece": there.is_sentencepiece_available, "protobuf": there.is_protobuf_available}
    if absent := [name for name, is_there in packages.items() if not is_there()]:
        raise UserError(
            "the tokenizer is a sentencepiece model alone, and what reads it is not installed",
            where=str(pieces),
            found=f"no {' and no '.join(absent)}",
            do=f"pip install {' '.join(absent)}, or take a checkpoint with tokenizer.json",
        )


def _require_character_map(pieces: Path, tokenizer: Any) -> None:
    """Check that a sentencepiece model's map of characters (№ is No, ² is 2) came along. Raises: UserError."""
    from transformers.convert_slow_tokenizer import SentencePieceExtractor

    mapped = SentencePieceExtractor(str(pieces)).proto.normalizer_spec.precompiled_charsmap
    if mapped and "Precompiled" not in repr(tokenizer.backend_tokenizer.normalizer):
        raise UserError(
            "transformers converts this tokenizer without its map of characters, so that it would read others",
            where=str(pieces),
            found=f"{type(tokenizer).__name__} without Precompiled",
            do=_STORE_TOKENIZER.format(folder=pieces.parent),
        )
