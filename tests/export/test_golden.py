import json

import numpy as np
import pytest
from tokenizers import Tokenizer

from distill.core.errors import GateFailed
from distill.core.rendering import Renderer, field_text
from export import golden
from export.runtime import MANIFEST, artifacts, load_bundle, read_json
from tests.export.tiny_bundle import SINGLE_TEXT, VIEW, copy_of, shared_bundle, tokenizer

VIEWS = {"pair": VIEW.model_dump(), "single": SINGLE_TEXT.model_dump()}
FIELDS = {"pair": VIEW.fields, "single": SINGLE_TEXT.fields}


def entries(folder, *names):
    """What the manifest of a bundle says of the artifacts of these names; none means all."""
    held = artifacts(read_json(folder / MANIFEST))
    return {name: held[name] for name in names or held}


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


def test_golden_lines_hold_tokens_logits_and_tolerances():
    bundle = load_bundle(shared_bundle(), threads=1)
    lines = [json.loads(line) for line in (shared_bundle() / "golden.jsonl").read_text("utf-8").split("\n") if line]
    assert len(lines) >= 100
    renderer = Renderer(bundle.before, Tokenizer.from_file(str(shared_bundle() / "tokenizer.json")))
    for line in lines:
        windows = renderer.encode(line["record"]).windows
        assert [window.ids for window in windows] == [window["ids"] for window in line["windows"]]
        assert set(line["logits"]) == {"fp32", "int8"} and line["tolerance"]["fp32"] == 1e-4
        assert line["tolerance"]["int8"] >= golden.DECISIONS_FLOOR
    recorded = np.array([line["logits"]["fp32"] for line in lines], np.float32)
    np.testing.assert_allclose(bundle.logits([line["record"] for line in lines]), recorded, atol=1e-5)
    assert len(np.unique(recorded.argmax(axis=1))) > 1


def test_real_records_are_kept_only_when_given(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    secret = {"id": "real-1", "record": {"page.title": "только для своих"}}
    assert "только для своих" not in (folder / "golden.jsonl").read_text(encoding="utf-8")
    golden.write_golden(folder, [*golden.synthetic_records(VIEWS["pair"]), secret], entries(folder, "fp32"))
    assert "только для своих" in (folder / "golden.jsonl").read_text(encoding="utf-8")


def test_the_int8_tolerance_grows_with_what_this_machine_shows(tmp_path, monkeypatch):
    folder = copy_of(shared_bundle(), tmp_path)
    records = golden.synthetic_records(VIEWS["pair"])[:5]

    def noisy(bundle):
        class Noisy:
            def logits(self, rows):
                return bundle.logits(rows) + np.float32(0.01)

        yield Noisy()

    monkeypatch.setattr(golden, "_variants", noisy)
    tolerance = golden.write_golden(folder, records, entries(folder))
    assert tolerance["fp32"] == 1e-4 and tolerance["int8"] == pytest.approx(0.015, rel=1e-3)


def test_nan_logits_stop_the_bundle(tmp_path):
    import onnx

    folder = copy_of(shared_bundle(), tmp_path)
    model = onnx.load(folder / "model.onnx")
    head = next(item for item in model.graph.initializer if item.name == "head")
    head.CopyFrom(onnx.numpy_helper.from_array(np.full((16, 3), np.nan, np.float32), "head"))
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(GateFailed, match="NaN or infinite"):
        golden.write_golden(folder, golden.synthetic_records(VIEWS["pair"])[:3], entries(folder, "fp32"))
