"""Near duplicates of the pool: which rows go, what the ledger says, and clusters that stay linear."""

import pytest

from distill.core.errors import UserError
from distill.core.intake.audit import audit_config
from distill.core.intake.config import Near
from distill.core.intake.ledger import Account, Ledger
from distill.core.intake.near import candidates
from distill.core.intake.near.pool import NearPool
from distill.core.intake.near.shingles import alike
from distill.core.intake.near.sketches import Sketches
from distill.core.intake.prepare import records_config
from distill.core.project import ViewConfig
from distill.core.records import Record
from distill.report.audit_lines import audit_lines
from distill.report.sections.data import Audit
from tests.core.record_fixtures import ids, project, row, run, write, write_all
from tests.training.small_disk import small_disk

WORDS = [f"слово{n}" for n in range(40)]
VIEW = ViewConfig(left=["a"], right=["b"], max_tokens=64)
PLAIN = " ".join(WORDS)


def edited(*places, words=WORDS):
    """The words with others in these places: in the middle each takes three shingles of 38."""
    return " ".join(f"иное{n}" if n in places else word for n, word in enumerate(words))


def page(name, number, body):
    return row(name, number, product={"title": "Дрель"}, page={"title": "", "body": body})


@pytest.fixture
def pools(tmp_path):
    """Two sources: in the first `б` is like `а`, in the second `д` is like `а` and `е` like `г`."""
    other = " ".join(f"другое{n}" for n in range(40))
    first = [page("а", 1, PLAIN), page("б", 2, edited(20)), page("в", 3, edited(5, 15, 25, 35)), page("г", 4, other)]
    second = [page("д", 5, edited(0)), page("е", 6, other + " конец"), page("ж", 7, "ничего общего ни с чем")]
    write_all(tmp_path, pool=first)
    write(tmp_path / "second.jsonl", second)
    return tmp_path


def both(near):
    return {"pool": {"urls": "pool.jsonl", "more": "second.jsonl"}, "near": near}


def test_rows_like_an_earlier_one_go_within_a_source_and_between_sources(pools):
    out, audit = run(pools, **both({}))
    assert ids(out, "pool.urls") == ["а", "в", "г"] and ids(out, "pool.more") == ["ж"]
    by_source = audit["rows"]["by_source"]
    assert by_source["pool.urls"]["dropped"] == {"near_duplicate": 1}
    assert by_source["pool.more"]["dropped"] == {"near_duplicate": 2}
    assert audit["near_duplicates"]["pool.urls"] == {
        "rows": 1,
        "share": 0.25,
        "clusters": 1,
        "largest": [{"like": "а", "rows": 1}],
        "examples": [{"id": "б", "like": "а", "jaccard": round(35 / 41, 3)}],
    }
    assert [(one["id"], one["like"]) for one in audit["near_duplicates"]["pool.more"]["examples"]] == [
        ("д", "а"),
        ("е", "г"),
    ]
    assert not [line for line in audit["warnings"] if "quarantine" in line]
    lines = audit_lines(audit, {"document": 32, "card": 16})
    words = "2 near duplicates dropped (66.7%), like 2 earlier rows, 1 of them like а; such as д, like а (0.949)"
    assert f"pool.more: {words}" in lines[-1]
    assert f"Near duplicates: pool.more: {words}" in Audit().body({"audit": audit})


def test_a_source_of_near_duplicates_alone_is_a_finding(pools):
    write(pools / "second.jsonl", [page("д", 5, edited(0)), page("а2", 6, PLAIN)])
    out, audit = run(pools, **both({}))
    assert ids(out, "pool.more") == []
    assert "pool.more adds no rows, of 2 read: 1 in pool.urls, 1 near duplicates" in audit["warnings"]


def test_they_may_be_counted_alone(pools):
    out, audit = run(pools, **both({"on_pool": "count"}))
    assert ids(out, "pool.urls") == ["а", "б", "в", "г"] and len(ids(out, "pool.more")) == 3
    assert audit["rows"]["dropped"] == {} and audit["near_duplicates"]["pool.more"]["rows"] == 2
    assert "near duplicates kept" in audit_lines(audit, {"document": 32, "card": 16})[-1]


@pytest.mark.parametrize(
    ("near", "left"),
    [
        ({"jaccard": 0.9}, ["а", "б", "в", "г"]),
        ({"jaccard": 0.5}, ["а", "г"]),
        ({"words": 1}, ["а", "г"]),
        ({"words": 6}, ["а", "б", "в", "г"]),
    ],
)
def test_threshold_and_shingle_decide(pools, near, left):
    assert ids(run(pools, **both(near))[0], "pool.urls") == left


def test_without_near_nothing_is_looked_for_and_no_config_changes(pools):
    out, audit = run(pools, pool={"urls": "pool.jsonl", "more": "second.jsonl"})
    assert len(ids(out, "pool.urls")) == 4 and "near_duplicates" not in audit
    assert "near" not in Ledger.load(out).accounts["pool.urls"].examples
    assert "near" not in (out / "ledger.json").read_text("utf-8")
    assert "near" not in records_config(project())["data"] and "near" not in audit_config(project())


def test_a_sample_is_drawn_of_what_is_left(pools):
    out, audit = run(pools, pool={"urls": {"files": "pool.jsonl", "rows": 2}}, near={})
    assert audit["rows"]["by_source"]["pool.urls"]["dropped"] == {"near_duplicate": 1, "not_sampled": 1}
    assert len(ids(out, "pool.urls")) == 2 and "б" not in ids(out, "pool.urls")


def test_the_gate_alone_changes_no_records():
    counted, failing = project(near={}), project(near={"on_leak": "fail"})
    assert records_config(counted) == records_config(failing) != records_config(project())
    assert audit_config(counted) != audit_config(failing)
    assert records_config(counted) != records_config(project(near={"words": 2}))


@pytest.mark.parametrize("near", [{"jaccard": 0.4}, {"jaccard": 1.01}, {"words": 0}, {"on_pool": "keep"}, {"bands": 3}])
def test_impossible_settings_are_named(near):
    (key,) = near
    with pytest.raises(UserError, match=f"data.near.{key}"):
        project(near=near)


def apart(texts, near=None):
    """The numbers of the texts that stay, and the account."""
    account = Account()
    records = (Record(str(n), {"a": "дрель", "b": text}) for n, text in enumerate(texts))
    found = [int(record.id) for record in NearPool(near or Near(), VIEW).apart("pool.a", records, account)]
    return found, account


def test_rows_without_text_are_like_no_other_and_an_empty_field_leaves_the_other_side():
    texts = [("", ""), ("", ""), ("", PLAIN), ("", edited(0)), ("дрель", PLAIN), ("дрель", "")]
    records = (Record(str(n), {"a": left, "b": right}) for n, (left, right) in enumerate(texts))
    found = [record.id for record in NearPool(Near(), VIEW).apart("pool.a", records, Account())]
    assert found == ["0", "1", "2", "4", "5"]


def test_a_full_temporary_folder_is_named(tmp_path):
    sketches = Sketches(0.8, 3)
    sketches.add("", PLAIN)
    with small_disk(100), pytest.raises(UserError, match=r"(?s)cannot keep rows in temporary files.*TMPDIR"):
        sketches.close_file()
    (tmp_path / "keys.parquet").write_bytes(b"cut short")
    with pytest.raises(UserError, match="cannot keep rows"):
        candidates.SharedKeys.within([tmp_path / "keys.parquet"], tmp_path, 0)


def test_each_row_that_goes_is_like_one_that_stays():
    # Each shares 34 of 42 shingles with the next one, but 32 of 44 with the one after that.
    found, account = apart(edited(*range(2 * n)) for n in range(1, 7))
    assert found == [0, 2, 4]
    assert account.dropped["near_duplicate"] == account.near["rows"] == account.near["clusters"] == 3


@pytest.fixture
def compared(monkeypatch):
    """An entry for each comparison."""
    found = []
    monkeypatch.setattr(candidates, "alike", lambda *sets: found.append(1) or alike(*sets))
    return found


def test_a_cluster_of_twenty_thousand_rows_is_compared_once_a_row(compared):
    found, account = apart(f"{PLAIN} {n}" for n in range(20_000))
    assert found == [0] and account.near["largest"] == [{"like": "0", "rows": 19_999}]
    assert len(compared) == 19_999


def test_rows_of_one_template_that_are_not_alike_take_a_bounded_number_of_comparisons(monkeypatch, compared):
    monkeypatch.setattr(candidates, "MOST", 5)
    # 28 of 42 shingles are the template's: Jaccard 1/2 in any two, and 22 bands of 5 let many of them meet.
    texts = [f"{' '.join(WORDS[:30])} {' '.join(f'{n}_{m}' for m in range(14))}" for n in range(300)]
    found, account = apart(texts, Near(jaccard=0.7))
    assert len(found) == 300 and account.near["not_all_compared"] > 0
    assert 300 < len(compared) <= 5 * 300
