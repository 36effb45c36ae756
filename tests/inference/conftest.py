"""A tiny trained-looking model folder and records to score."""

import pytest
import torch

from distill.core.rendering import Renderer
from distill.models.encoder import load_classifier
from distill.models.fresh import Shape, make_encoder

VIEW = {"left": ["product.title"], "right": ["page.title", "page.body"], "max_tokens": 40}


def make_rows(count):
    """Rows of very different lengths, the first without any text."""
    rows = [{"product.title": "", "page.title": "", "page.body": None}]
    for number in range(1, count):
        body = " ".join(f"страница о товаре №{number + word}" for word in range(number * 7 % 23))
        rows.append({"product.title": f"дрель {number} Вт", "page.title": f"drill {number * 13} W", "page.body": body})
    return rows


@pytest.fixture(scope="session")
def rows():
    return make_rows(41)


@pytest.fixture(scope="session")
def folder(tmp_path_factory, rows):
    """A two-layer BERT with three classes and logits far from zero."""
    path = tmp_path_factory.mktemp("model")
    texts = [str(value) for row in rows for value in row.values()]
    make_encoder(texts, path, Shape(layers=2, width=32, heads=4, vocabulary=150), 1)
    torch.manual_seed(2)
    model = load_classifier(path, ["нет", "упомянут", "да"])
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "embeddings" not in name:
                weight.normal_(0, 0.3)
    model.save_pretrained(path)
    return path


@pytest.fixture
def make_renderer(folder):
    """`make_renderer(**changes)`: a renderer of the view, with changes to it."""
    from tokenizers import Tokenizer

    return lambda **changes: Renderer(VIEW | changes, Tokenizer.from_file(str(folder / "tokenizer.json")))
