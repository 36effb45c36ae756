import json
from collections import Counter

import pytest

from distill.core.config import load_yaml, parse
from distill.core.project import Project
from distill.core.rendering import field_text
from distill.demo.generate import Sizes, generate

LABELS = {"not_about_pr", "ment_pr", "about_pr"}
SEGMENTS = {"old_pool", "diy", "electronics", "pharma"}
FILES = ("project.yaml", "train.jsonl", "valid.jsonl", "test.jsonl", "pool.jsonl")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    generate(folder)
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
    generate(tmp_path / "again")
    generate(tmp_path / "other", seed=2)
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (demo / name).read_bytes()
    assert (tmp_path / "other" / "train.jsonl").read_bytes() != (demo / "train.jsonl").read_bytes()


def test_the_project_parses_and_every_field_of_its_views_is_there(demo):
    project = parse(Project, load_yaml(demo / "project.yaml"), "project.yaml")
    assert set(project.task.labels) == LABELS
    rows = read(demo, "train")
    columns = {*project.data.keys, project.data.slice, *project.views["document"].fields, *project.views["card"].fields}
    assert all(field_text(row, column) for row in rows for column in columns)


@pytest.mark.parametrize(("name", "count"), [("train", 600), ("valid", 200), ("test", 300)])
def test_classes_slices_and_sizes(demo, name, count):
    rows = read(demo, name)
    labels, segments = Counter(row["label"] for row in rows), Counter(row["segment"] for row in rows)
    assert len(rows) == len({row["id"] for row in rows}) == count
    assert set(labels) == LABELS and set(segments) == SEGMENTS
    assert min(labels.values()) > 0.2 * count and min(segments.values()) > 0.15 * count


def test_rows_share_products_and_pages(demo):
    rows = read(demo, "test")
    products = {row["product"]["id"] for row in rows}
    # The bootstrap over products needs 30 clusters.
    assert 30 <= len(products) < len(rows) / 3
    assert len({row["page"]["id"] for row in rows}) < len(rows)


def test_labelled_files_share_no_product_page_or_text(demo):
    parts = {name: read(demo, name) for name in ("train", "valid", "test")}
    pairs = Counter(pair(row) for rows in parts.values() for row in rows)
    assert max(pairs.values()) == 1
    for side in ("product", "page"):
        seen = [{row[side]["id"] for row in rows} for rows in parts.values()]
        assert len(set.union(*seen)) == sum(map(len, seen))


def test_an_about_page_names_the_product_and_only_some_mentions_show_on_cards(demo):
    rows = read(demo, "train")
    on_card = {label: [] for label in LABELS}
    for row in rows:
        on_card[row["label"]].append(row["product"]["title"] in row["page"]["title"])
    assert all(on_card["about_pr"]) and not any(on_card["not_about_pr"])
    assert 0.2 < sum(on_card["ment_pr"]) / len(on_card["ment_pr"]) < 0.8
    assert all(row["product"]["title"] in row["page"]["body"] for row in rows if row["label"] == "ment_pr")


def test_the_pool_has_something_for_the_ledger(demo):
    lines = (demo / "pool.jsonl").read_text(encoding="utf-8").splitlines()
    rows, tests = read(demo, "pool"), {pair(row) for row in read(demo, "test")}
    assert len(lines) == 802 and len(rows) == 801
    assert not any("label" in row for row in rows)
    assert len({row["id"] for row in rows}) == 800
    assert sum(pair(row) in tests for row in rows) >= 10
    assert sum(count - 1 for count in Counter(map(pair, rows)).values()) >= 20
    assert {"", "404 Not Found"} <= {row["page"]["title"] for row in rows}


def test_sizes_are_kept(tmp_path):
    generate(tmp_path, sizes=Sizes(train=30, valid=10, test=10, pool=20))
    assert [len(read(tmp_path, name)) for name in ("train", "valid", "test")] == [30, 10, 10]


def test_texts_are_russian_and_english(demo):
    titles = [row["page"]["title"] for row in read(demo, "train")]
    russian = sum(any("а" <= letter.lower() <= "я" for letter in title) for title in titles)
    assert 0.3 < russian / len(titles) < 0.9
