import json

import numpy as np
import onnx
import pytest
from onnx import helper
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import Unigram

from distill.core.errors import GateFailed
from distill.core.rendering import Renderer, field_text
from export import bundle as bundles
from export import golden
from export.artifact import Artifact, Contents
from export.runtime import load_bundle
from export.verify import DECISIONS_FLOOR, MANIFEST, read_json
from tests.core.conftest import TOKENIZERS
from tests.export.tiny_bundle import (
    LABELS,
    SINGLE_TEXT,
    SPACE,
    TARGETS,
    VIEW,
    classifier,
    make_bundle,
    make_exports,
    make_model,
    shared_bundle,
    tokenizer,
)

VIEWS = {"pair": VIEW.model_dump(), "single": SINGLE_TEXT.model_dump()}
FIELDS = {"pair": VIEW.fields, "single": SINGLE_TEXT.fields}


@pytest.mark.parametrize("name", VIEWS)
def test_records_cover_the_cases_that_break_pipelines(name):
    items = golden.synthetic_records(VIEWS[name])
    assert len(items) >= 100 and len({item["id"] for item in items}) == len(items)
    texts = [" ".join(field_text(item["record"], path) for path in FIELDS[name]) for item in items]
    text = "\n".join(texts)
    assert any(not line.strip() for line in texts)
    for sample in ("дрель", "🎧", "\u0306", "\x00", "سماعات", "無線", "<div", "[SEP]", "ж" * 600, "1234567890"):
        assert sample in text, sample
    raw = json.dumps([item["record"] for item in items])
    assert "null" in raw and "\\n" in raw and "\\u2028" in raw and "\\u202e" in raw and "true" in raw


@pytest.mark.parametrize("name", VIEWS)
def test_over_long_records_exceed_all_windows(name):
    renderer = Renderer(VIEWS[name], tokenizer())
    items = {item["id"]: item["record"] for item in golden.synthetic_records(VIEWS[name])}
    encoded = [renderer.encode(items[key]) for key in items if key.startswith("over_long")]
    assert len(encoded) == 3 and all(one.cut_tokens > 0 for one in encoded)
    if name == "pair":
        assert max(len(one.windows) for one in encoded) == VIEW.windows.max


def test_each_side_is_filled_alone_and_with_the_other():
    items = {item["id"]: item["record"] for item in golden.synthetic_records(VIEWS["pair"])}
    filled = {
        place: {path for path in VIEW.fields if field_text(items[f"cyrillic-{place}"], path)}
        for place in ("left", "right", "both")
    }
    assert filled == {"left": set(VIEW.left), "right": set(VIEW.right), "both": set(VIEW.fields)}


def test_records_are_equal_for_equal_seeds_and_alternate_nested_and_flat():
    first, again, other = (golden.synthetic_records(VIEWS["pair"], seed) for seed in (1, 1, 2))
    assert first == again != other
    shapes = {"." in key for item in first for key in item["record"]}
    assert shapes == {True, False}


def test_a_field_inside_another_field_stays_flat():
    view = {"left": ["page", "page.title"], "max_tokens": 16}
    records = {item["id"]: item["record"] for item in golden.synthetic_records(view)}
    both = [record for record in records.values() if len(record) == 2]
    assert len(both) > 50 and all(set(record) == {"page", "page.title"} for record in both)
    assert {"page": {"title": golden.ODD_TEXTS["cyrillic"]}} in records.values()


def golden_lines(folder):
    return [json.loads(line) for line in (folder / "golden.jsonl").read_text("utf-8").split("\n") if line]


def test_golden_lines_hold_tokens_and_what_each_file_says():
    bundle = load_bundle(shared_bundle(), threads=1)
    lines = golden_lines(shared_bundle())
    assert len(lines) >= 100
    renderer = Renderer(bundle.before, Tokenizer.from_file(str(shared_bundle() / "tokenizer.json")))
    for line in lines:
        windows = renderer.encode(line["record"]).windows
        assert [window.ids for window in windows] == [window["ids"] for window in line["windows"]]
        assert set(line["logits"]) == set(line["answers"]) == {"fp32", "int8"}
    recorded = np.array([line["logits"]["fp32"] for line in lines], np.float32)
    np.testing.assert_allclose(bundle.logits([line["record"] for line in lines]), recorded, atol=1e-5)
    assert len(np.unique(recorded.argmax(axis=1))) > 1
    chances = np.exp(recorded.astype(np.float64) / 1.5)
    chances /= chances.sum(axis=1, keepdims=True)
    for line, row in zip(lines, chances, strict=True):
        said = line["answers"]["fp32"]
        assert said["label"] == LABELS[row.argmax()] and list(said["probabilities"]) == list(LABELS)
        np.testing.assert_allclose(list(said["probabilities"].values()), row, atol=1e-9)
        assert said["positive"] == {"f1": row[2] >= 0.4, "recall@P>=0.9": row[2] >= 0.7}


def test_golden_windows_are_short_and_long():
    lengths = {len(window["ids"]) for line in golden_lines(shared_bundle()) for window in line["windows"]}
    assert min(lengths) == 3 and max(lengths) == VIEW.max_tokens and any(length % 2 for length in lengths)


def test_golden_logits_are_those_of_the_export_not_of_the_bundle(tmp_path, monkeypatch):
    """A copy that is another model is caught, because nothing is recorded from it."""
    model = make_model(tmp_path / "model")
    exports = make_exports(tmp_path / "export", model)
    copied = bundles._copy

    def other_model(artifacts, model_folder, folder):
        copied(artifacts, model_folder, folder)
        proto = classifier(seed=2)
        helper.set_model_props(proto, metadata(folder / "model.onnx"))
        onnx.save(proto, folder / "model.onnx")

    monkeypatch.setattr(bundles, "_copy", other_model)
    contents = Contents("tiny", model, [Artifact(TARGETS["fp32"], exports["fp32"])], SPACE, {})
    with pytest.raises(GateFailed, match="logits differ by"):
        bundles.bundle(contents, empty(tmp_path), threads=1)


def empty(folder):
    (folder / "out").mkdir()
    return folder / "out"


def metadata(path):
    return {item.key: item.value for item in onnx.load(path).metadata_props}


def test_real_records_are_kept_only_when_given(tmp_path):
    assert "только для своих" not in (shared_bundle() / "golden.jsonl").read_text(encoding="utf-8")
    secret = {"id": "real-1", "record": {"page.title": "только для своих"}}
    folder = make_bundle(tmp_path, real_records=[secret])
    assert "только для своих" in (folder / "golden.jsonl").read_text(encoding="utf-8")


class Off:
    """A bundle that is off by so much."""

    def __init__(self, bundle, by):
        self.bundle, self.by = bundle, np.float32(by)

    def logits(self, rows):
        return self.bundle.logits(rows) + self.by


def tolerance(name, monkeypatch, by):
    monkeypatch.setattr(golden, "_variants", lambda bundle: [Off(bundle, by)])
    entry = read_json(shared_bundle() / MANIFEST)["artifacts"][name]
    rows = [item["record"] for item in golden.synthetic_records(VIEWS["pair"])[:5]]
    return golden.tolerance(shared_bundle(), name, entry, rows)


@pytest.mark.parametrize(("by", "expected"), [(0.01, 0.015), (0, DECISIONS_FLOOR)])
def test_the_int8_tolerance_grows_with_what_this_machine_shows(monkeypatch, by, expected):
    assert tolerance("fp32", monkeypatch, by) == 1e-4
    assert tolerance("int8", monkeypatch, by) == pytest.approx(expected, rel=1e-3)


def test_a_file_that_answers_otherwise_on_two_threads_is_not_bundled(monkeypatch):
    with pytest.raises(GateFailed, match="depend on threads"):
        tolerance("int8", monkeypatch, by=0.5)


def test_nan_logits_stop_the_bundle(tmp_path):
    model = make_model(tmp_path / "model")
    fp32 = make_exports(tmp_path / "export", model)["fp32"]
    proto = onnx.load(fp32 / "model.onnx")
    head = next(item for item in proto.graph.initializer if item.name == "head")
    head.CopyFrom(onnx.numpy_helper.from_array(np.full((16, 3), np.nan, np.float32), "head"))
    onnx.save(proto, fp32 / "model.onnx")
    with pytest.raises(GateFailed, match="NaN or infinite"):
        bundles.bundle(
            Contents("tiny", model, [Artifact(TARGETS["fp32"], fp32)], SPACE, {}), empty(tmp_path), threads=1
        )


def metaspace():
    """Pieces behind a mark for spaces, in the frame of T5, with `<pad>` first."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *"дрельнаушки", "▁д", "▁на"]
    result = Tokenizer(Unigram([(piece, -float(index)) for index, piece in enumerate(dict.fromkeys(pieces))], unk_id=2))
    result.pre_tokenizer = pre_tokenizers.Metaspace()
    result.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return result


@pytest.mark.parametrize("kind", [*TOKENIZERS.values(), metaspace])
@pytest.mark.parametrize("most", [15, 16])
@pytest.mark.parametrize("name", VIEWS)
def test_any_tokenizer_left_to_cut_by_itself_gives_the_first_window(name, most, kind):
    view, alone = {**VIEWS[name], "max_tokens": most}, kind()
    renderer = Renderer(view, kind())
    alone.enable_truncation(most, strategy="longest_first")
    for item in golden.synthetic_records(view):
        encoded = renderer.encode(item["record"])
        if encoded.tokens <= 8 * most:
            assert alone.encode(*renderer.text(item["record"])).ids == encoded.windows[0].ids, item["id"]
