"""A small student with random weights as a bundle, and short records for it: what `benchmarks.batch` measures on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from distill.core.files import Json, replacing, sha256, sha256_json
from distill.core.label_space import LabelSpace
from distill.core.project import ViewConfig

LABELS = ("not_about_pr", "ment_pr", "about_pr")
_VOCABULARY, _HEAD_WIDTH = 8000, 32
VIEW = ViewConfig(left=["product.title"], right=["page.title", "page.url"], max_tokens=64)
_WORDS, _SYLLABLES = 4000, ("ka", "ro", "mi", "te", "su", "lo", "ne", "di", "pa", "vu", "шо", "ре", "ни", "ла")
_PARITY_ROWS = 200


def write_records(path: Path, rows: int, texts: int | None = None) -> None:
    """Write JSONL of product and page, about 25 tokens a record; each has an `id` and a `page.url` of its own.

    Args: texts: how many different texts there are; None: as many as rows. A url then is not part of the text.
    """
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in _records(rows, texts))


def make_bundle(folder: Path, layers: int, width: int) -> Path:
    """The bundle in a folder, fp32 and int8; made once, and made anew when the code has other settings. Needs torch."""
    import torch

    from distill.core.view import TOKENIZER_FILE, View
    from distill.models.encoder import load_classifier
    from distill.models.fresh import Shape, make_encoder
    from distill.models.quiet_transformers import quiet_transformers
    from export.artifact import Artifact, Contents
    from export.build import export_target
    from export.bundle import bundle
    from export.checked_bundle import CODE
    from export.config import load_target
    from export.evidence import Evidence, Sample

    code = [sha256(path) for path in CODE.values()]  # what a bundle is made of, and how, changes with it
    made = folder / sha256_json([layers, width, _VOCABULARY, VIEW.model_dump(mode="json"), code])[:12]
    if (made / "bundle" / "manifest.json").exists():
        return made / "bundle"
    rows = list(_records(_PARITY_ROWS, None))
    texts = [text for one in rows for side in (one["product"], one["page"]) for text in side.values()]
    model = made / "model"
    make_encoder([*texts, *_vocabulary()], model, Shape(layers, width, width // _HEAD_WIDTH, _VOCABULARY), seed=1)
    torch.manual_seed(1)
    with quiet_transformers():
        load_classifier(model, list(LABELS)).save_pretrained(model)
    View("card", VIEW, model / TOKENIZER_FILE).save(model)
    artifacts = []
    for name in ("onnx", "onnx-int8"):
        target, place = load_target(name), made / name
        place.mkdir(parents=True, exist_ok=True)
        export_target(
            target,
            model,
            Evidence(Sample(rows), calibration=lambda: rows),
            place,
            None if name == "onnx" else made / "onnx",
        )
        artifacts.append(Artifact(target, place, operating_points={"f1": 0.4}))
    (made / "bundle").mkdir(exist_ok=True)
    space = LabelSpace(LABELS, positive=LABELS[-1])
    bundle(Contents("student", model, artifacts, space, {"weights": "random"}), made / "bundle")
    return made / "bundle"


def _vocabulary() -> list[str]:
    chance = random.Random(0)
    return ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 3))) for _ in range(_WORDS)]


def _records(rows: int, texts: int | None) -> Iterator[Json]:
    words = _vocabulary()
    for number in range(rows):
        chance = random.Random(number if texts is None else number % texts)
        title, page = (" ".join(chance.choices(words, k=size)) for size in (5, 6))
        url = f"shop.example/{number}"
        if texts is None:
            yield {"id": f"r{number}", "product": {"title": title}, "page": {"title": page, "url": url}}
        else:
            yield {"id": f"r{number}", "product": {"title": title}, "page": {"title": page}, "key": url}
