"""The card of a pre-trained encoder: recipe, texts, loss curve, hashes."""

from __future__ import annotations

from pathlib import Path

import yaml

from distill.core.files import Json, read_json, sha256, write_text
from distill.core.model_folder import HISTORY_FILE
from teachers.pretraining.collect import SOURCES_FILE
from teachers.pretraining.config import PretrainConfig
from teachers.pretraining.model import HEADS_FILE

CARD_FILE, WEIGHTS_FILE = "README.md", "model.safetensors"
_HASHED = (WEIGHTS_FILE, HEADS_FILE, "tokenizer.json", "config.json")
_FIGURES = {
    "mlm_loss": "masked words, nats",
    "mlm_accuracy": "masked words right",
    "pair_matching_loss": "pair matching, nats",
    "pair_matching_accuracy": "pairs right",
    "token_overlap_loss": "token overlap, nats",
    "hidden_loss": "embeddings, 1 − cosine",
    "relation_loss": "similarities, squared",
}


def write_card(config: PretrainConfig, store: Path, folder: Path, *, parameters: int, seed: int) -> None:
    """Write `README.md` into the finished model folder.

    Args: store: the pairs, with the rows and terms of each source. parameters: weights of the encoder. seed: of all.
    """
    architecture, curve = read_json(folder / "config.json"), read_json(folder / HISTORY_FILE)
    chapters = [
        f"{_shape(architecture, parameters)} Pre-trained by `distill pretrain`; loads with "
        "`transformers.AutoModel.from_pretrained`. The heads of the pre-training are kept, so that a run with "
        "`--checkpoint` goes on where this one ended.",
        "## Texts\n\n" + _texts(read_json(store / SOURCES_FILE), curve),
        f"## Recipe\n\nSeed {seed}.\n\n```yaml\n{_recipe(config)}```",
        f"## Loss on {curve['held_out']} held-out rows\n\n" + _curve(curve["curve"]),
        *(_earlier(run) for run in reversed(curve["before"])),
        "## Files\n\n" + _files(folder),
    ]
    write_text(folder / CARD_FILE, "# Model card\n\n" + "\n\n".join(chapters) + "\n")


def _shape(architecture: Json, parameters: int) -> str:
    layers, width = architecture["num_hidden_layers"], architecture["hidden_size"]
    heads, vocabulary = architecture["num_attention_heads"], architecture["vocab_size"]
    return (
        f"An encoder of {layers} layers, {width} wide, {heads} heads, {vocabulary:,} tokens: {parameters:,} parameters."
    )


def _texts(sources: Json, curve: Json) -> str:
    rows = [[f"`{name}`", f"{entry['rows']:,}", entry["terms"] or "–"] for name, entry in sources.items()]
    return _table(["source", "rows", "terms"], rows) + f"\n\n{curve['steps']:,} steps on {curve['rows']:,} rows."


def _recipe(config: PretrainConfig) -> str:
    """The config as YAML, folders by their last name only."""
    values = config.model_dump(mode="json", exclude_none=True)
    for source in values["texts"].values():
        source["root"] = Path(source["root"]).name or "."
    for part, name in ((values, "checkpoint"), (values.get("embedding_teacher", {}), "encoder")):
        if name in part and Path(part[name]).is_dir():
            part[name] = Path(part[name]).name
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)


def _curve(points: list[dict[str, float]]) -> str:
    names = [name for name in _FIGURES if name in points[0]]
    rows = [[str(point["step"]), *(_figure(name, point[name]) for name in names)] for point in points]
    return _table(["step", *(_FIGURES[name] for name in names)], rows)


def _earlier(run: Json) -> str:
    """A chapter on a run whose encoder this one, or the one between, went on from."""
    return (
        f"## The run before: {run['steps']:,} steps on {run['rows']:,} rows\n\n"
        f"It ended with `{WEIGHTS_FILE}` of SHA-256 `{run['weights']}`.\n\n{_curve(run['curve'])}"
    )


def _figure(name: str, value: float) -> str:
    return f"{100 * value:.1f}%" if name.endswith("accuracy") else f"{value:.3f}"


def _files(folder: Path) -> str:
    paths = [folder / name for name in _HASHED]
    rows = [[f"`{path.name}`", f"{path.stat().st_size:,}", f"`{sha256(path)}`"] for path in paths]
    return _table(["file", "bytes", "SHA-256"], rows)


def _table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])
