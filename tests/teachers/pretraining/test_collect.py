import json

import pytest

from distill.core.errors import UserError
from distill.core.project import Project
from distill.core.record_store import write_records
from distill.core.records import Record
from teachers.pretraining.collect import collect, text_files
from teachers.pretraining.config import PretrainConfig
from teachers.pretraining.pairs import read_pairs, read_views

VIEWS = {
    "document": {"left": ["title"], "right": ["page", "body"], "max_tokens": 32, "budgets": {"body": 9}, "windows": {}},
    "card": {"left": ["title", "kind"], "right": ["page"], "max_tokens": 16},
}
OFFERS = [
    {"left": {"title": "дрель 5"}, "right": {"title": "drill 5"}, "label": 1, "group": "tools"},
    {"left": {"title": "пила"}, "right": {"title": "kettle"}, "label": 0, "group": "tools"},
    {"left": {"title": "lamp"}, "right": {"title": ""}, "label": 1, "group": "light"},
    {"left": {"title": "taken"}, "right": {"title": "other"}, "label": 1, "group": "light"},
    {"left": {"title": "fan"}, "right": {"title": "big fan"}, "label": 1, "group": "air"},
]


def project(root):
    values = {
        "task": {"labels": ["no", "yes"]},
        "data": {"root": str(root), "train": "t.jsonl", "test": {"a": "t.jsonl"}},
        "views": VIEWS,
    }
    return Project.model_validate(values)


def config(**values):
    return PretrainConfig.model_validate({"held_out": 1, "own": False, **values})


def offers(folder, **values):
    (folder / "offers.jsonl").write_text("\n".join(json.dumps(row) for row in OFFERS))
    return {"offers": {"files": "offers.jsonl", "left": ["left.title"], "right": ["right.title"], **values}}


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    rows = [
        Record(f"r{n}", {"title": f"дрель {n}", "kind": f"k{n % 2}", "page": "p", "body": "b"}, slice="DIY")
        for n in range(4)
    ]
    write_records(folder / "train.parquet", rows[:2])
    write_records(folder / "pool.urls.parquet", rows[2:3])
    write_records(folder / "test.a.parquet", rows[3:])
    return folder


def made(settings, root, records=None, seed=1):
    out = root / "out"
    out.mkdir(exist_ok=True)
    collect(settings, project(root), records, seed, out)
    return read_pairs(out), out


def test_own_records_are_train_and_pool_never_test(records, tmp_path):
    pairs, out = made(config(own=True, category="kind"), tmp_path, records)
    assert [(p.left, p.right, p.category) for p in pairs] == [
        (("дрель 0",), ("p", "b"), "k0"),
        (("дрель 1",), ("p", "b"), "k1"),
        (("дрель 2",), ("p", "b"), "k0"),
    ]
    view = read_views(out)["records"]
    assert view.budgets == {"body": 9} and view.windows is None


def test_the_view_decides_which_texts_are_read(records, tmp_path):
    pairs, out = made(config(own=True, view="card"), tmp_path, records)
    assert pairs[0].left == ("дрель 0", "k0") and pairs[0].right == ("p",)
    assert read_views(out)["records"].max_tokens == 16


def test_files_are_named_from_their_root(tmp_path):
    (tmp_path / "below").mkdir()
    texts = offers(tmp_path / "below", root="below")
    assert made(config(texts=texts), tmp_path)[0]
    with pytest.raises(UserError, match="file not found"):
        made(config(texts={"offers": {**texts["offers"], "root": "."}}), tmp_path)


def test_without_a_category_the_slice_is_one(records, tmp_path):
    assert {p.category for p in made(config(own=True), tmp_path, records)[0]} == {"DIY"}


def test_texts_of_other_files_are_filtered(tmp_path):
    (tmp_path / "test.jsonl").write_text(json.dumps({"left": {"title": "x"}, "right": {"title": "taken"}}))
    texts = offers(tmp_path, where={"label": 1}, category="group", unlike="test.jsonl", terms="free")
    pairs, out = made(config(texts=texts), tmp_path)
    assert [(p.source, p.left, p.right, p.category) for p in pairs] == [
        ("offers", ("дрель 5",), ("drill 5",), "tools"),
        ("offers", ("fan",), ("big fan",), "air"),
    ]
    assert read_views(out)["offers"].max_tokens == 32
    assert json.loads((out / "sources.json").read_text()) == {"offers": {"rows": 2, "terms": "free"}}


def test_a_sample_is_seeded_and_keeps_the_order(tmp_path):
    texts = offers(tmp_path, rows=2)
    first, again, *others = (made(config(texts=texts), tmp_path, seed=seed)[0] for seed in (1, 1, 2, 3, 4))
    order = [row["left"]["title"] for row in OFFERS]
    assert first == again and any(first != other for other in others)
    assert [order.index(p.left[0]) for p in first] == sorted(order.index(p.left[0]) for p in first)


def test_the_files_of_all_texts_are_named(tmp_path):
    (tmp_path / "seen.jsonl").write_text("{}")
    found = text_files(config(texts=offers(tmp_path, unlike="seen.jsonl")), project(tmp_path))
    assert [*found.values()] == [[tmp_path / "offers.jsonl"], [tmp_path / "seen.jsonl"]]
    assert [name.endswith(".unlike") for name in found] == [False, True]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"view": "docment"}, "did you mean 'document'"),
        ({"own": True, "category": "kinds"}, "did you mean 'kind'"),
        ({"held_out": 50}, "too few texts"),
    ],
)
def test_mistakes_are_named(values, message, records, tmp_path):
    with pytest.raises(UserError, match=message):
        made(config(**{"texts": offers(tmp_path), **values}), tmp_path, records)


@pytest.mark.parametrize("change", [{"left": ["left.titel"]}, {"where": {"label": 7}}])
def test_a_file_that_gives_nothing_is_an_error(change, tmp_path):
    with pytest.raises(UserError, match="no row of the file has texts"):
        made(config(texts=offers(tmp_path, **change)), tmp_path)


def test_a_missing_file_is_named(tmp_path):
    texts = {"offers": {"files": "gone.jsonl", "left": ["a"]}}
    with pytest.raises(UserError, match="file not found") as error:
        made(config(texts=texts), tmp_path)
    assert "pretrain.texts.offers.files" in str(error.value)
