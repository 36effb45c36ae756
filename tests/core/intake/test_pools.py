"""Pools: what they lose to other splits and pools, samples of them, and pairs made of their sides."""

import pyarrow as pa
import pyarrow.parquet as pq

from distill.core.intake.prepare import records_config
from distill.core.record_store import read_records
from distill.report.audit_lines import audit_lines
from tests.core.record_fixtures import ids, project, row, rows, run, write, write_all


def test_pool_rows_of_other_splits_are_dropped_by_pair(tmp_path):
    pool = [
        row("п1", 300),
        row("из теста", 200),
        row("из проверки", 101),
        row("из обучения", 3),
        row("снова", 300),
        row("сторона", 400, product={"title": "Дрель ударная №200"}),
        row("т3", 401),
    ]
    out, audit = run(write_all(tmp_path, pool=pool))
    assert ids(out, "pool.urls") == ["п1", "сторона"]
    dropped = {"duplicate": 1, "duplicate_id": 1, "in_test": 1, "in_train": 1, "in_valid": 1}
    assert audit["rows"]["by_source"]["pool.urls"]["dropped"] == dropped
    assert [(leak["kind"], leak["gate"]) for leak in audit["leaks"] if "pool.urls" in leak["between"]] == [
        ("side", False)
    ]


def test_two_pools_of_one_file_are_a_finding_with_their_overlap(tmp_path):
    write_all(tmp_path, pool=[*rows("п", 9, 300, labelled=False), row("п8", 308), row("из обучения", 3)])
    write(tmp_path / "more.jsonl", rows("ещё", 12, 306, labelled=False))
    out, audit = run(tmp_path, pool={"urls": "pool.jsonl", "again": "pool.jsonl", "more": "more.jsonl"})
    assert [len(ids(out, f"pool.{name}")) for name in ("urls", "again", "more")] == [9, 0, 9]
    assert audit["rows"]["by_source"]["pool.urls"]["dropped"] == {"duplicate": 1, "in_train": 1}
    assert audit["pool_overlaps"] == {
        "pool.urls": {"train": 1},
        "pool.again": {"pool.urls": 10, "train": 1},
        "pool.more": {"pool.urls": 3},
    }
    assert "pool.again adds no rows, of 11 read: 10 in pool.urls, 1 in train" in audit["warnings"]
    assert not [line for line in audit["warnings"] if "quarantine" in line]
    lines = audit_lines(audit, {"document": 32, "card": 16})
    assert "pool.more: of 12 rows 3 are in pool.urls (25%) already, and count there" in lines[-1]


def test_pool_exclude_side_drops_either_side_on_either_side(tmp_path):
    pool = [
        row("п1", 300),
        row("слева", 400, product={"title": "Дрель ударная №200"}),
        row("справа", 404, page={"title": "Купить дрель 202 ёмкость"}),
        row("накрест", 401, product={"title": "Купить дрель 201 ёмкость"}),
        row("тело", 402, page={"body": "Описание товара 203. " * 3}),
    ]
    out, audit = run(write_all(tmp_path, pool=pool), pool_exclude="side")
    assert ids(out, "pool.urls") == ["п1", "тело"]
    assert audit["rows"]["by_source"]["pool.urls"]["dropped"] == {"in_test": 3}


def test_a_pool_never_reads_labels_and_keeps_a_stable_sample(tmp_path):
    write_all(tmp_path, pool=[values | {"метка": {"сломано": []}} for values in rows("п", 40, 300, labelled=False)])
    source = {"urls": {"files": "pool.jsonl", "rows": 10}}
    out, audit = run(tmp_path, pool=source)
    before = ids(out, "pool.urls")
    assert len(before) == 10 and audit["rows"]["by_source"]["pool.urls"]["dropped"] == {"not_sampled": 30}
    write_all(tmp_path, pool=rows("п", 39, 300, labelled=False))
    out, _ = run(tmp_path, pool=source)
    assert len(set(before) & set(ids(out, "pool.urls"))) >= 9


def test_pairing_joins_similar_sides_of_different_rows(tmp_path):
    kinds = ["дрель ударная", "пила цепная", "шприц одноразовый"]
    pool = [
        row(f"п{i}", i, product={"title": f"{kinds[i % 3]} л{i}"}, page={"title": f"{kinds[i % 3]} п{i}"})
        for i in range(300, 345)
    ]
    pool.append(row("тест", 350, product={"title": "пила цепная"}, page={"title": "Купить дрель 203 ёмкость"}))
    source = {"urls": {"files": "pool.jsonl", "pairing": "neighbours", "rows": 20}}
    out, audit = run(write_all(tmp_path, pool=pool), pool=source, pool_exclude="side")
    records = read_records(out, "pool.urls")
    assert len(records) == 20 and audit["rows"]["by_source"]["pool.urls"]["dropped"]["not_sampled"] > 0
    for record in records:
        left, right = record.id.split("~")
        assert left != right and right != "тест"
        assert record.fields["product.title"].split()[0] == record.fields["page.title"].split()[0]
        assert record.keys == {"product.id": left[1:], "page.id": f"p{right[1:]}"} or left == "тест"
    assert len({record.id.split("~")[1] for record in records}) > 5


def test_labels_of_pair_sources_do_not_matter_and_no_neighbour_is_counted(tmp_path):
    pool = [*rows("п", 9, 300, labelled=False), row("чужой", 390, product={"title": "qwerty"})]
    source = {"urls": {"files": "pool.jsonl", "pairing": "neighbours"}}
    _, audit = run(write_all(tmp_path, pool=pool), pool=source)
    assert audit["rows"]["by_source"]["pool.urls"]["dropped"] == {"no_neighbour": 1}


def test_a_pool_of_parquet_has_slices_and_keys_like_any_other(tmp_path):
    lines = [row("п0", 300), row("п1", 301, segment=None)]
    pq.write_table(pa.Table.from_pylist(lines), write_all(tmp_path, pool=lines) / "pool.parquet")
    before = read_records(run(tmp_path)[0], "pool.urls")
    assert before[0].slice == "аптека" and before[0].keys == {"product.id": "300", "page.id": "p300"}
    assert read_records(run(tmp_path, pool={"urls": "pool.parquet"})[0], "pool.urls") == before
    assert "pool_columns" in records_config(project(pool={"urls": "pool.parquet"}))
    assert "pool_columns" not in records_config(project())
