"""What clients of Hugging Face's libraries are told of a view's tokenizer, beside its `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from distill.core.files import Json, read_json, write_json
from distill.core.padding import pad_id
from distill.core.view import View

SETTINGS, LENGTH = "tokenizer_config.json", "sentence_bert_config.json"


def write_settings(view: View, folder: Path, inputs: Sequence[str] | None = None) -> None:
    """Write the files in which such clients look for the length, the sides of a cut and of padding, and the inputs.

    `tokenizer_config.json`, for transformers: the length of the view, where it is asked to cut; the model's inputs,
    without which transformers 5 leaves token types out, so that both sides of a pair are read as the left one; and the
    class that reads `tokenizer.json` as it is: classes of a family put their own options, such as lower case, above it.
    What else the file says stays. `sentence_bert_config.json`: the length, where Text Embeddings Inference reads it.

    Args: view: whose tokenizer has its model's config beside it. inputs: names that the model's forward pass reads;
        None: as the client thinks.
    """
    path, token = folder / SETTINGS, padding(view)[1]
    told: Json = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": view.config.max_tokens}
    told |= {"padding_side": "right", "truncation_side": "right", "pad_token": token}
    told |= {} if inputs is None else {"model_input_names": list(inputs)}
    stored = read_json(path) if path.is_file() else {}
    write_json(path, {**stored, **told, "clean_up_tokenization_spaces": False})
    write_json(folder / LENGTH, {"max_seq_length": view.config.max_tokens, "do_lower_case": False})


def padding(view: View) -> tuple[int, str]:
    """The padding token of a view's model, as its id and its text."""
    pad = pad_id(view.tokenizer_path.parent)
    return pad, Tokenizer.from_file(str(view.tokenizer_path)).id_to_token(pad) or "[PAD]"
