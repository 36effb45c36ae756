import json
from collections import Counter
from itertools import islice

import pytest

from distill.core.config import load_yaml, parse
from distill.core.errors import UserError
from distill.core.files import sha256
from distill.core.project import Project
from distill.core.rendering import field_text
from distill.demo.generate import Sizes, generate, training_rows
from distill.demo.names import part_of
from distill.demo.projects import PROJECTS, settings_of

LABELS = {"not_about_pr", "ment_pr", "about_pr"}
SEGMENTS = {"old_pool", "diy", "electronics", "pharma"}
FILES = ("project.yaml", "train.jsonl", "valid.jsonl", "test.jsonl", "pool.jsonl")
# Of the demo's files for seed 1. Every published figure of the demo was measured on these bytes.
DIGESTS = {
    "train.jsonl": "c71b7090c3105fc2a11b3264691ecc417c93ed820685caf69fa7fda283652856",
    "valid.jsonl": "36ffe8be71d79b20b5a25378fcb307249d06401735369d2dc5e61b4cf3c464bd",
    "test.jsonl": "7ecd9d62298bdb3b4de3971b3a206ecbc214fa9518f3f6d3e87637c273670ac5",
    "pool.jsonl": "e8a6ed31a244884450730acc1d181e7354c3a0d3c1cdbf8f1b7140cff5daff9d",
}
SMALL = Sizes(train=600, valid=150, test=600, pool=300)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    generate(folder, sizes=SMALL)
    return folder


def read(folder, name):
    """The readable rows of a file."""
    rows = []
    for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            pass
    return rows


def pair(row):
    return tuple(field_text(row, path) for path in ("product.title", "page.title", "page.url", "page.body"))


def test_the_same_seed_gives_the_same_bytes(tmp_path, demo):
    generate(tmp_path / "again", sizes=SMALL)
    generate(tmp_path / "other", seed=2, sizes=SMALL)
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (demo / name).read_bytes()
    for name in FILES[1:]:
        assert (tmp_path / "other" / name).read_bytes() != (demo / name).read_bytes()


def test_a_labelled_file_does_not_depend_on_the_sizes_of_the_others(tmp_path, demo):
    generate(tmp_path, sizes=Sizes(train=30, valid=150, test=10, pool=60))
    assert (tmp_path / "valid.jsonl").read_bytes() == (demo / "valid.jsonl").read_bytes()
    assert [len(read(tmp_path, name)) for name in ("train", "valid", "test")] == [30, 150, 10]


def test_the_demo_has_its_sizes_and_its_published_bytes(tmp_path):
    assert PROJECTS["demo"] == Sizes(train=1500, valid=500, test=1500, pool=20_000)
    assert PROJECTS["demo-full"] == Sizes(train=1500, valid=500, test=6000, pool=20_000)
    generate(tmp_path)
    counts = [(tmp_path / name).read_bytes().count(b"\n") for name in FILES[1:]]
    assert counts == [1500, 500, 1500, 20_020]
    assert not (tmp_path / "pretraining.jsonl").exists()
    assert {name: sha256(tmp_path / name) for name in DIGESTS} == DIGESTS


def test_rows_to_pre_train_on_are_written_where_the_sizes_ask_for_them(tmp_path):
    generate(tmp_path, sizes=Sizes(train=60, valid=20, test=30, pool=60, pretraining=50))
    assert read(tmp_path, "pretraining") == list(training_rows(50, 1))


@pytest.mark.parametrize("name", [name for name in PROJECTS if name not in ("demo-ru", "demo-preference")])
def test_every_project_parses_and_every_field_of_its_views_is_there(name, demo, tmp_path):
    generate(tmp_path, sizes=Sizes(train=60, valid=20, test=30, pool=60), project=name)
    project = parse(Project, load_yaml(tmp_path / "project.yaml"), "project.yaml")
    assert (tmp_path / "project.yaml").read_text(encoding="utf-8") == settings_of(name)
    assert set(project.task.labels) == LABELS
    columns = {*project.data.keys, project.data.slice, *project.views["document"].fields, *project.views["card"].fields}
    assert all(field_text(row, column) for row in read(demo, "train") for column in columns)


def test_an_unknown_project_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(UserError, match="(?s)demo-ful.*did you mean 'demo-full'"):
        generate(tmp_path, project="demo-ful")


@pytest.mark.parametrize(("name", "count"), [("train", 600), ("valid", 150), ("test", 600)])
def test_rows_ids_classes_and_slices_of_a_file(demo, name, count):
    rows = read(demo, name)
    labels, segments = Counter(row["label"] for row in rows), Counter(row["segment"] for row in rows)
    assert len(rows) == len({row["id"] for row in rows}) == count
    assert set(labels) == LABELS and set(segments) == SEGMENTS
    assert min(labels.values()) > 0.2 * count and min(segments.values()) > 0.1 * count


def test_rows_share_products_and_pages(demo):
    rows = read(demo, "test")
    products, pages = (Counter(row[side]["id"] for row in rows) for side in ("product", "page"))
    # The bootstrap over products wants hundreds of clusters at 1,500 rows, and 30 of them at 150.
    assert 0.2 * len(rows) < len(products) < 0.4 * len(rows)
    assert len(pages) < 0.5 * len(rows) and max(pages.values()) <= 4
    assert sum(count > 1 for count in products.values()) > 0.7 * len(products)


@pytest.mark.parametrize("rows", [150, 160, 300])
def test_small_files_have_30_products(tmp_path, rows):
    generate(tmp_path, sizes=Sizes(train=240, valid=60, test=rows, pool=60))
    assert len({row["product"]["id"] for row in read(tmp_path, "test")}) >= 30


def test_labelled_files_share_no_product_page_or_text(demo):
    parts = {name: read(demo, name) for name in ("train", "valid", "test")}
    pairs = Counter(pair(row) for rows in parts.values() for row in rows)
    assert max(pairs.values()) == 1
    for path in ("product.id", "product.title", "page.id", "page.body"):
        seen = [{field_text(row, path) for row in rows} for rows in parts.values()]
        assert len(set.union(*seen)) == sum(map(len, seen)), path


def test_an_id_belongs_to_one_text(demo):
    for side in ("product", "page"):
        texts = {
            (row[side]["id"], json.dumps(row[side])) for name in ("train", "valid", "test") for row in read(demo, name)
        }
        assert len({name for name, _ in texts}) == len(texts)


def test_training_rows_are_unlabelled_repeatable_and_of_all_slices():
    rows = list(training_rows(3000, 1))
    assert len(rows) == len({row["id"] for row in rows}) == 3000
    assert rows == list(training_rows(3000, 1)) != list(training_rows(3000, 2))
    assert rows[:10] == list(islice(training_rows(5000, 1), 10))
    assert {row["segment"] for row in rows} == SEGMENTS
    assert all(set(row) == {"id", "segment", "product", "page"} for row in rows)


def test_training_rows_share_no_product_with_any_file(demo):
    """By brand and series, so that it holds for every seed of either."""
    files = {row["product"]["id"] for name in ("train", "valid", "test", "pool") for row in read(demo, name)}
    rows = list(training_rows(3000, 1))
    assert not files & {row["product"]["id"] for row in rows}
    for row in rows:
        brand, series = row["product"]["brand"], row["product"]["id"].split("-")[1].capitalize()
        assert part_of(brand, series) == "pretraining"
