"""A small store of pairs whose sides share a word, and an encoder that learns it in seconds."""

from pathlib import Path

from distill.core.files import write_json
from distill.core.project import ViewConfig
from distill.models.fresh import Shape, make_encoder
from teachers.pretraining.config import PretrainConfig
from teachers.pretraining.pairs import Pair, texts_of, write_pairs

VIEWS = {
    "shop": ViewConfig(left=["title", "brand"], right=["page", "body"], max_tokens=24),
    "news": ViewConfig(left=["text"], max_tokens=24),
}
NAMES = ("дрель", "пила", "kettle", "насос", "лампа", "hammer", "ключ", "фреза")


def shop_pairs(rows=120):
    """Pairs of two categories, in which both sides carry the same name and number, and some single texts."""
    pairs = []
    for row in range(rows):
        name = NAMES[row % len(NAMES)]
        left, right = (f"{name} {row % 13}", "Borvik"), (f"купить {name}", f"{name} {row % 13} " * (row % 4))
        pairs.append(Pair("shop", f"kind {row % 2}", left, right))
    return [*pairs, *(Pair("news", "", (f"о {name} пишут",), ()) for name in NAMES)]


def write_shop(folder: Path, rows=120) -> Path:
    """A store of pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    write_pairs(folder, shop_pairs(rows), VIEWS)
    write_json(folder / "sources.json", {"shop": {"rows": rows, "terms": "ours"}, "news": {"rows": 8, "terms": ""}})
    return folder


def shop_encoder(folder: Path) -> Path:
    """A two-layer BERT with random weights."""
    make_encoder(
        texts_of(shop_pairs()), folder, Shape(layers=2, width=16, heads=2, vocabulary=150, matching_heads=1), 1
    )
    return folder


def shop_config(**values):
    """A short run that evaluates twice and saves often."""
    training = {"max_steps": 12, "batch_size": 8, "learning_rate": 3e-3, "save_steps": 4, "precision": "fp32"}
    training |= values.pop("training", {})
    return PretrainConfig.model_validate({"held_out": 16, "evaluate_steps": 6, "training": training, **values})
