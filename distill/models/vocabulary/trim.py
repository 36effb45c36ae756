"""An encoder's folder with a smaller vocabulary."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer

from distill.core.errors import UserError
from distill.core.files import Json, write_json
from distill.core.model_folder import parameter_count
from distill.core.progress import note
from distill.core.view import TOKENIZER_FILE
from distill.models.config import VocabularyConfig
from distill.models.encoder_config import CONFIG
from distill.models.vocabulary.tokenizer_file import SETTINGS, trim_tokenizer, trimmed_settings
from distill.models.vocabulary.weights import fixed_ids, token_ids, trim_weights, trimmed_config

VOCABULARY_FILE = "vocabulary.json"


def trim(source: Path, counts: Counter[int], config: VocabularyConfig, key: str, folder: Path) -> None:
    """Step body: `folder` becomes the encoder in `source` with the tokens that `counts` has often enough.

    Kept besides are special tokens, and what reading any text takes: see `Pieces`. `vocabulary.json` has the figures.

    Args: counts: occurrences by token id. key: of the entry's `vocabulary`, for messages.
    Raises: UserError when no token occurs so often, or the tokenizer or the weights cannot be trimmed.
    """
    tokenizer = Tokenizer.from_file(str(source / TOKENIZER_FILE))
    seen = {token for token, count in counts.items() if count >= config.min_count}
    if not seen:
        most = max(counts.values(), default=0)
        raise UserError(
            "no token is left of the vocabulary",
            where=f"{key}.min_count",
            found=f"{config.min_count}, the commonest token occurs {most} times",
            do="lower it",
        )
    known = set(tokenizer.get_vocab().values())
    fixed = {*token_ids(source), *range(fixed_ids(source))} & known
    made, kept = trim_tokenizer(tokenizer, seen | fixed, str(source))
    made.save(str(folder / TOKENIZER_FILE))
    if (settings := trimmed_settings(source, kept)) is not None:
        write_json(folder / SETTINGS, settings)
    before, after = trim_weights(source, kept, folder)
    write_json(folder / CONFIG, trimmed_config(source, kept))
    figures, rare = _figures(source, folder), counts.keys() - set(kept)
    write_json(
        folder / VOCABULARY_FILE,
        {
            "rows": after,
            "rows_before": before,
            "seen": len(seen),
            "min_count": config.min_count,
            "counted_tokens": counts.total(),
            "rare_share": sum(counts[token] for token in rare) / counts.total(),
            **figures,
        },
    )
    saved = math.ceil((figures["bytes_before"] - figures["bytes"]) / 1e6)
    note(f"vocabulary: {after:,} of {before:,} tokens kept, {saved:,} MB saved")


def _figures(source: Path, folder: Path) -> Json:
    weights = [sum(path.stat().st_size for path in one.glob("*.safetensors")) for one in (source, folder)]
    return {
        "parameters_before": parameter_count(source),
        "parameters": parameter_count(folder),
        "bytes_before": weights[0],
        "bytes": weights[1],
    }
