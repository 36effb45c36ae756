"""Golden records: inputs that break pipelines, with what the exported files said of them before they were bundled.

Synthetic by default, so a bundle carries no text of the data it was trained on.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime import GraphOptimizationLevel

from distill.core.errors import GateFailed
from distill.core.files import Json, write_text
from distill.core.rendering import Encoded
from distill.inference.providers import open_session, recorded_on
from export.runtime import Bundle, FloatRows, open_artifact
from export.verify import DECISIONS_FLOOR, GOLDEN, PARITY_TOLERANCE, largest_tolerance

DECISIONS_MARGIN = 1.5
_WORDS = (
    "наушники беспроводные чёрные дрель аккумуляторная купить цена отзывы доставка инструкция ёлка подъезд объём "
    "wireless headphones black cordless drill price review manual USB-C Bluetooth Samsung Bosch 18V 5.3 x2"
).split()
ODD_TEXTS = {
    "cyrillic": "Аккумуляторная дрель-шуруповёрт, ёмкость 2 А·ч — «хит продаж»",
    "emoji": "🎧🔥 best 👍🏽 семья 👩‍👩‍👧‍👦 флаг 🇰🇿",
    "combining": "й ё и\u0306 е\u0308 Z\u0351\u036b\u0343\u036a\u0302 cafe\u0301",
    "numbers": "1234567890 3,14159 1e-9 −40°C ½ ² 10×15 +7(900)000-00-00",
    "punctuation": "!?..,;:—–-“”«»()[]{}<>|\\/@#$%^&*~`_=+ … №",
    "control": "first\x00second\x07third\u200bfourth\ufeff\u202efifth",
    "newlines": "line one\nline two\r\n\tline three\u2028line four\x0b",
    "long_word": "ж" * 600 + "x" * 600,
    "mixed_scripts": "Вluetooth нaушники Сolor ΑΒΓ Ⅷ ﬁne ＦＵＬＬ",
    "rtl": "سماعات لاسلكية אוזניות אלחוטיות 2024",
    "cjk": "無線ヘッドホン 蓝牙耳机 무선 헤드폰",
    "html": "<div class='t'>Цена&nbsp;&lt;b&gt;100&#8381;</div><script>alert(1)</script>",
    "url": "https://shop.example/каталог/drill?utm=1&id=%D0%B4%D1%80#отзывы",
    "special_tokens": "[CLS] [SEP] [PAD] [MASK] <s> </s> <unk>",
    "spaces": " \u00a0\u3000\t ",
    "one_letter": "я",
}


def synthetic_records(view: Mapping[str, Any], seed: int = 1, least: int = 120) -> list[Json]:
    """At least `least` records over the view's fields: `{"id", "record"}`, equal for equal seeds.

    Every odd text fills the left side only, the right side only, and both; every view gets records without text,
    records longer than all its windows, and values that are no strings; the rest are random words.
    Nested and flat records alternate.
    """
    chance = random.Random(seed)
    kinds = list(_kinds(view, chance))
    kinds += [(f"words-{i}", _random_words(view, chance)) for i in range(max(0, least - len(kinds)))]
    return [{"id": name, "record": _nested(flat) if i % 2 else flat} for i, (name, flat) in enumerate(kinds)]


def write_golden(
    folder: Path,
    records: Sequence[Mapping[str, Any]],
    encoded: Sequence[Encoded],
    logits: Mapping[str, FloatRows],
    answers: Mapping[str, Sequence[Json]],
) -> None:
    """Write `golden.jsonl`: of N records their token ids, and what each artifact says of them.

    Args: records: `{"id", "record"}`. encoded: of each record. logits, answers: by artifact, see `expected`.
    """
    lines = []
    for i, item in enumerate(records):
        windows = [{"ids": window.ids, "type_ids": window.type_ids} for window in encoded[i].windows]
        said = {"logits": {name: values[i].tolist() for name, values in logits.items()}}
        lines.append({**item, "windows": windows, **said, "answers": {name: rows[i] for name, rows in answers.items()}})
    write_text(folder / GOLDEN, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def tolerance(folder: Path, name: str, entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> float:
    """How far a replay on the same CPU class may be off.

    Criterion `parity`: 1e-4. `tolerance`: what its target declares. `decisions`: 1.5 times the largest difference that
    this machine shows between two threads and one, and between graphs optimised fully and barely, which is how versions
    of ONNX Runtime differ; at least 1e-3. On a 6-layer encoder of width 384 these were 0 and 0.035, where int8 was
    0.057 from fp32: the tolerance must stay under that to notice another model, and under a tenth of the largest logit.

    Args: folder: of the bundle. entry: of the artifact in the manifest. Raises: GateFailed when it is larger.
    """
    if entry["criterion"] == "parity":
        return PARITY_TOLERANCE
    if entry["criterion"] == "tolerance":
        return float(entry["tolerance"])
    bundle = open_artifact(folder, name, entry, 1, recorded_on(entry))
    logits = bundle.logits(rows, batch_size=1)
    measured = DECISIONS_MARGIN * max(float(np.abs(other.logits(rows) - logits).max()) for other in _variants(bundle))
    found, largest = max(DECISIONS_FLOOR, measured), largest_tolerance(entry["criterion"], logits)
    if not found <= largest:
        raise GateFailed(
            f"the logits of the {name} file depend on threads and graph optimisation: no bundle",
            where=str(folder / entry["file"]),
            found=f"a difference of {measured / DECISIONS_MARGIN:.2g}, at most {largest / DECISIONS_MARGIN:.2g}",
            do="leave more of it in fp32 (keep_fp32 of the export preset)",
        )
    return found


def _variants(bundle: Bundle) -> Iterator[Bundle]:
    """The same model under other thread counts and levels of graph optimisation."""
    level = GraphOptimizationLevel
    model, provider = bundle.folder / bundle.facts["file"], recorded_on(bundle.facts)
    for threads, optimisation in ((2, level.ORT_ENABLE_ALL), (1, level.ORT_ENABLE_BASIC)):
        yield dataclasses.replace(bundle, session=open_session(model, bundle.facts, provider, threads, optimisation))


def _kinds(view: Mapping[str, Any], chance: random.Random) -> Iterator[tuple[str, Json]]:
    """Name and flat record of every case that must be there."""
    fields = [*view["left"], *(view.get("right") or [])]
    yield "missing", {}
    yield "empty", {path: "" for path in fields}
    yield "null", {path: None for path in fields}
    yield "list", {path: ["Bosch", None, "синий"] for path in fields}
    yield "number", {path: 42 for path in fields}
    yield "boolean", {path: True for path in fields}
    too_long = _too_long(view, chance)
    for place, paths in _places(view).items():
        yield f"over_long-{place}", {path: too_long() for path in paths}
        for kind, text in ODD_TEXTS.items():
            yield f"{kind}-{place}", {path: text for path in paths}


def _places(view: Mapping[str, Any]) -> dict[str, list[str]]:
    """Which fields are filled: those of one side, and all; a single-text view has its first and last field instead."""
    left, right = list(view["left"]), list(view.get("right") or [])
    if right:
        return {"left": left, "right": right, "both": left + right}
    return {"all": left, "first": left[:1], "last": left[-1:]}


def _too_long(view: Mapping[str, Any], chance: random.Random) -> Callable[[], str]:
    """Texts longer than all windows together: a word has at least one token."""
    windows = view.get("windows") or {"max": 1}
    words = view["max_tokens"] * windows["max"] + 50
    return lambda: " ".join(chance.choices(_WORDS, k=words))


def _random_words(view: Mapping[str, Any], chance: random.Random) -> Json:
    fields = [*view["left"], *(view.get("right") or [])]
    most = max(2, view["max_tokens"])
    return {path: " ".join(chance.choices(_WORDS, k=chance.randint(0, most))) for path in fields}


def _nested(flat: Mapping[str, Any]) -> Json:
    """`{"page.title": x}` as `{"page": {"title": x}}`; a path that runs through another one's value stays flat."""
    result: Json = {}
    for path, value in flat.items():
        *parents, last = path.split(".")
        if any(other != path and (other.startswith(f"{path}.") or path.startswith(f"{other}.")) for other in flat):
            result[path] = value
            continue
        place = result
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value
    return result
