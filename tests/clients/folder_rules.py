"""What Text Embeddings Inference and KServe's Hugging Face server want of a folder, as their sources read it.

Sources, as of 2026: huggingface/text-embeddings-inference, `router/src/lib.rs` (model type, length), `core/src/
tokenization.rs` (cut), `backends/ort/src/lib.rs` (files and inputs of ONNX), `backends/candle/src/lib.rs` and `models/`
(families and keys of safetensors); kserve/kserve, `python/huggingfaceserver/huggingfaceserver/`: `encoder_model.py`,
`task.py`, `utils.py`. Each function lists what a folder lacks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnxruntime

ROUTER = ("architectures", "model_type", "max_position_embeddings", "id2label", "label2id")
ONNX = ("hidden_size", "num_hidden_layers")
_BERT = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"),
    *("hidden_dropout_prob", "max_position_embeddings", "type_vocab_size", "initializer_range", "layer_norm_eps"),
    "pad_token_id",
)
_DISTILBERT = (
    *("vocab_size", "dim", "n_layers", "n_heads", "hidden_dim", "activation", "max_position_embeddings"),
    "pad_token_id",
)
CANDLE = {**dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert"), _BERT), "distilbert": _DISTILBERT}
"""Families whose classifiers it runs from safetensors, and the keys that it needs of each config. MPNet is not one."""
_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length")


def config_of(folder: Path) -> dict[str, Any]:
    """The folder's `config.json`."""
    found: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    return found


def tei(folder: Path) -> list[str]:
    """What its router misses, whichever backend runs the model."""
    config = config_of(folder)
    lacking = [f"config.json: {key}" for key in ROUTER if config.get(key) is None]
    classifies = any(name.endswith("Classification") for name in config.get("architectures") or [])
    lacking += [] if classifies else ["config.json: an architecture that ends with Classification"]
    texts = all(isinstance(value, str) for value in (config.get("id2label") or {}).values())
    lacking += [] if texts else ["config.json: id2label of texts"]
    lacking += [] if (folder / "tokenizer.json").is_file() else ["tokenizer.json"]
    length = folder / "sentence_bert_config.json"
    told = json.loads(length.read_bytes()).get("max_seq_length") if length.is_file() else None
    return lacking + ([] if isinstance(told, int) else ["sentence_bert_config.json: max_seq_length"])


def tei_onnx(folder: Path) -> list[str]:
    """What its image for ONNX (`cpu-*`) misses."""
    config = config_of(folder)
    lacking = tei(folder) + [f"config.json: {key}" for key in ONNX if not isinstance(config.get(key), int)]
    file = next((one for one in (folder / "model.onnx", folder / "onnx" / "model.onnx") if one.is_file()), None)
    if file is None:
        return [*lacking, "model.onnx"]
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given = {"input_ids", "attention_mask", "token_type_ids", "position_ids"}
    names = {one.name for one in session.get_inputs()}
    lacking += [f"an input {name} that it does not give" for name in sorted(names - given)]
    lacking += [
        f"an input {name}, which it always gives" for name in ("input_ids", "attention_mask") if name not in names
    ]
    return lacking + ([] if [one.name for one in session.get_outputs()] == ["logits"] else ["one output, logits"])


def tei_safetensors(folder: Path) -> list[str]:
    """What its images for safetensors miss."""
    config = config_of(folder)
    family = config.get("model_type")
    if family not in CANDLE:
        return [*tei(folder), f"classifiers of the family {family}"]
    lacking = [f"config.json: {key}" for key in CANDLE[family] if config.get(key) is None]
    return tei(folder) + lacking + ([] if (folder / "model.safetensors").is_file() else ["model.safetensors"])


def kserve(folder: Path) -> list[str]:
    """What KServe's server misses, and which length it would cut at were it told none."""
    config = config_of(folder)
    names = config.get("architectures") or [""]
    lacking = [] if names[0].endswith("ForSequenceClassification") else ["a first architecture for its task"]
    lacking += [] if (folder / "model.safetensors").is_file() else ["model.safetensors"]
    lacking += [] if (folder / "tokenizer.json").is_file() else ["tokenizer.json"]
    settings = folder / "tokenizer_config.json"
    named = json.loads(settings.read_bytes()).get("pad_token") if settings.is_file() else None
    return lacking + ([] if named else ["tokenizer_config.json: pad_token"])


def kserve_length(config: dict[str, Any]) -> int:
    """The tokens at which KServe's server cuts without `--max_model_len`."""
    return min(value for value in map(config.get, _POSITIONS) if value is not None)
