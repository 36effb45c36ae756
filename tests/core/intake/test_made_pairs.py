"""Pools made of the sides that users have: what is paired, what never is, and that order and machine do not matter."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.files import sha256
from distill.core.intake.hashing import digest
from distill.core.intake.held_out import wording
from distill.core.intake.pairing import key_side
from distill.core.project import Project
from distill.core.record_store import read_records
from tests.core.record_fixtures import LABELS, PROJECT, prepare_and_audit, row, rows, run, write, write_all

KINDS = ("дрель ударная", "пила цепная", "шприц одноразовый")
NONE = {"exact": 0, "neighbours": 0, "hard": 0, "random": 0}


def train() -> list[dict[str, Any]]:
    """Thirty rows of three kinds of things, each with a number of its own."""
    return [
        row(
            f"т{i}", i, LABELS[i % 3], product={"title": f"{KINDS[i % 3]} т{i}"}, page={"title": f"{KINDS[i % 3]} с{i}"}
        )
        for i in range(30)
    ]


def made(tmp_path, **pairs: Any):
    """The records of a pool that is made, and its account in the audit. Args: pairs: may name rows too."""
    count = {"rows": pairs.pop("rows")} if "rows" in pairs else {}
    out, audit = run(tmp_path, pool={"made": {"pairs": {**NONE, **pairs}, **count}, "urls": "pool.jsonl"})
    return read_records(out, "pool.made"), audit["rows"]["by_source"]["pool.made"], audit


def test_every_kind_of_pair_is_made_so_often_for_each_left_side(tmp_path):
    lines = train()
    lines[0]["product"]["title"], lines[9]["page"]["title"] = "Ключ: гаечный 8", "ключ гаечный-8"
    write_all(tmp_path, train=lines)
    exact, counts, _ = made(tmp_path, exact=1)
    assert [(one.keys["product.id"], one.keys["page.id"]) for one in exact] == [("0", "p9")]
    assert counts["dropped"] == {"no_neighbour": 29}
    near, counts, _ = made(tmp_path, neighbours=2)
    alike = [one for one in near if one.fields["product.title"].split()[0] == one.fields["page.title"].split()[0]]
    assert len(near) == 59 == counts["kept"] == counts["read"] and len(alike) == 58
    drawn, _, _ = made(tmp_path, random=2)
    kinds = {(one.fields["product.title"].split()[0], one.fields["page.title"].split()[0]) for one in drawn}
    assert len(drawn) == 60 and len(kinds) > 6
    own = {(f"{i}", f"p{i}") for i in range(30)}
    assert own.isdisjoint((one.keys["product.id"], one.keys["page.id"]) for one in [*near, *drawn])


def test_partners_that_are_nearest_do_not_cost_a_left_side_its_pairs(tmp_path):
    lines = [
        row(f"т{i}", i, LABELS[i % 3], product={"id": i % 12, "title": f"{KINDS[0]} №{i % 12}"},
            page={"title": f"{KINDS[0]} №{i % 12} адрес {i // 12}"}) for i in range(12 * 40)]  # fmt: skip
    write_all(tmp_path, train=lines)
    records, counts, audit = made(tmp_path, neighbours=3, hard=1, random=1)
    assert counts["kept"] == 12 * 5 == len(records)
    assert {one.keys["product.id"]: 5 for one in records} == Counter(one.keys["product.id"] for one in records)
    assert not [line for line in audit["warnings"] if "no right sides" in line]


def test_pairs_that_no_right_side_is_there_for_are_counted_by_kind(tmp_path):
    _, counts, audit = made(write_all(tmp_path, train=train()), exact=1, neighbours=11, hard=1, random=20)
    # Of 30 right sides one is a partner, 9 share a word, and 20 remain for chance.
    missing = "pool.made: pairs are asked for that no right sides are there for: 60 neighbours, 30 hard"
    assert missing in audit["warnings"] and counts["kept"] == 30 * (9 + 20)


def test_a_hard_pair_is_near_and_of_another_key_and_title(tmp_path):
    lines = train()
    for number, left in enumerate(lines):
        left["page"]["id"] = f"{(number + 3) % 30}"  # the page of a like thing has the product's key
    write_all(tmp_path, train=lines)
    near, _, _ = made(tmp_path, neighbours=9)
    hard, _, _ = made(tmp_path, hard=8)
    assert any(one.keys["product.id"] == one.keys["page.id"] for one in near)
    assert len(hard) == 8 * 30 and not [one for one in hard if one.keys["product.id"] == one.keys["page.id"]]
    assert all(one.fields["product.title"].split()[0] == one.fields["page.title"].split()[0] for one in hard)
    exact, _, _ = made(tmp_path, exact=1)
    assert len(exact) == 30 and all(one.keys["product.id"] == one.keys["page.id"] for one in exact)


def test_no_side_of_a_test_or_validation_row_is_used_by_key_or_by_wording(tmp_path):
    lines = train()
    lines[0]["product"] |= {"id": 900, "title": "дрель УДАРНАЯ, №200"}  # says what a test's product says
    lines[1]["page"] |= {"id": "p901", "title": "дрель-ударная №205!"}  # the same, on the other side
    lines[2]["product"]["id"] = 201  # a test's key
    lines[3]["page"]["id"] = "p101"  # a validation key
    lines[4]["product"]["id"] = "p202"  # a test's key of the other side
    write_all(tmp_path, train=lines)
    records, counts, audit = made(tmp_path, neighbours=3, random=3, exact=2, hard=2)
    assert counts["dropped"]["side_in_test"] == 4 and counts["dropped"]["side_in_valid"] == 1
    lefts, rights = ({one.keys[key] for one in records} for key in ("product.id", "page.id"))
    assert lefts.isdisjoint({"900", "201", "p202"}) and rights.isdisjoint({"p901", "p101"})
    assert len(lefts) == 27 and len(rights) == 28
    assert not [leak for leak in audit["leaks"] if "pool.made" in leak["between"]]


@pytest.mark.parametrize("keys", [["product.id", "page.id"], ["page.id", "product.id"], ["page.id"], ["product.id"]])
@pytest.mark.parametrize(
    "source", [{"pairs": {**NONE, "neighbours": 3, "random": 3}}, "neighbours"], ids=["made", "near"]
)
def test_a_pair_has_the_keys_of_its_sides_in_whatever_order_they_are_named(tmp_path, keys, source):
    lines = train()
    lines[3]["page"]["id"], lines[4]["product"]["id"] = "p201", 202  # keys of a test
    write_all(tmp_path, train=lines)
    if source == "neighbours":
        source = {"files": "train.jsonl", "pairing": "neighbours"}
    out, audit = run(tmp_path, keys=keys, pool={"made": source})
    sides = [("product", "product.id"), ("page", "page.id")]
    own = {(side, line[side]["title"]): str(line[side]["id"]) for line in lines for side, _ in sides}
    records = read_records(out, "pool.made")
    assert records
    for one in records:
        assert one.keys == {key: own[side, one.fields[f"{side}.title"]] for side, key in sides if key in keys}
    if "pairs" in source:
        assert {"p201", "202"}.isdisjoint(key for one in records for key in one.keys.values())
        assert audit["rows"]["by_source"]["pool.made"]["dropped"]["side_in_test"] == len(keys)


@pytest.mark.parametrize(
    ("left", "right", "key", "side"),
    [
        ("product.title", "page.title", "page.id", 1),
        ("product.title", "page.product_name", "product.id", 0),
        ("offer.left.title", "offer.right.title", "offer.right.key", 1),
        ("title_left", "title_right", "id_left", 0),
        ("title_left", "title_right", "id_right", 1),
        ("question1", "question2", "qid2", 1),
        ("query", "productTitle", "productId", 1),
        ("query", "passage.text", "query", 0),
        ("name", "page.id", "product.id", None),
        ("title", "page", "shop", None),
    ],
)
def test_the_side_of_a_key_is_told_by_its_name(left, right, key, side):
    view = {"left": [left], "right": [right], "max_tokens": 16}
    data = {"label": "label", "keys": [key], "train": "a.jsonl", "test": {"t": "t.jsonl"}}
    plan = {"task": {"labels": ["a", "b"]}, "data": data, "views": {"document": view, "card": view}}
    assert key_side(parse(Project, plan, "test"), key) == side


def test_pairs_are_refused_where_a_key_may_be_of_either_side(tmp_path):
    write_all(tmp_path, train=[line | {"shop": "а"} for line in train()])
    for source in ({"pairs": {"of": ["train"]}}, {"files": "pool.jsonl", "pairing": "neighbours"}):
        with pytest.raises(UserError, match=r"(?s)data\.keys.*shop"):
            run(tmp_path, keys=["shop"], pool={"made": source})


def test_a_side_is_out_as_soon_as_one_of_its_rows_has_a_key_of_a_test(tmp_path):
    lines = [*train(), row("т30", 30, LABELS[0], product={"id": 203, "title": f"{KINDS[1]} т7"})]
    write_all(tmp_path, train=lines)
    records, counts, _ = made(tmp_path, neighbours=3)
    assert "7" not in {one.keys["product.id"] for one in records} and counts["dropped"]["side_in_test"] == 1


def test_what_is_made_depends_on_rows_and_seed_alone(tmp_path):
    extra = [{key: value for key, value in one.items() if key != "page"} for one in rows("н", 8, 500, labelled=False)]
    lines, found = train(), {}
    for name, order, more in (("there", 1, extra), ("back", -1, extra[::-1])):
        root = tmp_path / name
        root.mkdir()
        write_all(root, train=lines[::order])
        write(root / "a.jsonl", more[:3])
        write(root / "b.jsonl", more[3:])
        made(root, of=["train", "*.jsonl" if order > 0 else "b.jsonl", "a.jsonl"], neighbours=2, random=1, rows=40)
        made(root, of=["train", *["a.jsonl", "b.jsonl"][::order]], neighbours=2, random=1, rows=40)
        found[name] = sha256(root / "records" / "pool.made.parquet")
        made(root, of=["train", "a.jsonl", "b.jsonl"], neighbours=2, random=1, rows=40, seed=5)
        assert sha256(root / "records" / "pool.made.parquet") != found[name]
    assert found["there"] == found["back"]


def test_new_products_and_new_pages_come_in_files_of_one_side(tmp_path):
    products = [{"product": {"id": f"н{i}", "title": f"{KINDS[0]} новая {i}"}} for i in range(5)]
    pages = [{"page": {"id": f"с{i}", "title": f"{KINDS[0]} адрес {i}", "body": "о дрели"}} for i in range(4)]
    write_all(tmp_path, train=train())
    write(tmp_path / "products.jsonl", [*products, "{"])
    write(tmp_path / "pages.jsonl", pages)
    records, counts, audit = made(tmp_path, of=["products.jsonl", "pages.jsonl"], neighbours=2)
    assert len(records) == 10 and counts["dropped"] == {"broken_json": 1}
    assert {one.keys["product.id"][0] + one.keys["page.id"][0] for one in records} == {"нс"}
    assert all(one.id == f"{digest(*one.fields.values()):016x}" for one in records)
    assert not [line for line in audit["warnings"] if "has no column" in line]
    write(tmp_path / "pages.jsonl", [{"page": {"title": one["page"]["title"]}} for one in pages])
    _, _, audit = made(tmp_path, of=["train", "products.jsonl", "pages.jsonl"], neighbours=2)
    assert "pool.made: some file has no column page.body" in audit["warnings"]


def test_a_thing_is_not_paired_with_itself_where_both_sides_are_of_one_kind(tmp_path):
    lines = [row(f"т{i}", i, LABELS[i % 3], product={"title": f"{KINDS[i % 3]} {i}"},
                 page={"id": i + 3, "title": f"{KINDS[i % 3]} {i + 3}", "body": ""}) for i in range(30)]  # fmt: skip
    records, _, _ = made(write_all(tmp_path, train=lines), neighbours=3, exact=3)
    assert records and not [one for one in records if one.fields["product.title"] == one.fields["page.title"]]


def test_more_rows_than_pairs_are_a_note_and_a_sample_keeps_some_of_all(tmp_path):
    write_all(tmp_path, train=train())
    _, counts, audit = made(tmp_path, neighbours=1, rows=500)
    assert "pool.made: 500 rows are asked for, 30 pairs can be made" in audit["warnings"] and counts["kept"] == 30
    records, counts, _ = made(tmp_path, neighbours=1, rows=12)
    assert len(records) == 12 and counts["dropped"] == {"not_sampled": 18}


def test_a_single_text_has_no_sides_to_pair(tmp_path):
    single = {"left": ["product.title"], "right": [], "max_tokens": 16}
    data = {**PROJECT["data"], "root": str(tmp_path), "pool": {"made": {"pairs": {}}}}
    values = {**PROJECT, "data": data, "views": {"document": single, "card": single}}
    write_all(tmp_path)
    with pytest.raises(UserError, match=r"(?s)making pairs needs two sides.*data\.pool\.made\.pairs"):
        prepare_and_audit(parse(Project, values, "test"), tmp_path / "records")


def test_a_pool_of_which_nothing_is_left_says_what_was_dropped(tmp_path):
    write_all(tmp_path, train=[one | {"product": {**one["product"], "id": 200}} for one in train()])
    with pytest.raises(UserError, match=r"(?s)no rows left.*side_in_test 30"):
        made(tmp_path, neighbours=1)


def test_a_wording_is_letters_and_digits():
    assert wording("drill, 750 w") == wording("drill 750w") == "drill750w"
    assert wording("की") != wording("का") and wording("!!!") == "!!!"
