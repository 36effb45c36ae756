"""What is left of a pool is a file that other tools read, and that as a pool loses nothing."""

import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from distill.core.intake.clean_pool import write_clean_pools
from distill.core.record_store import read_records
from tests.core.record_fixtures import ids, project, row, rows, run, write, write_all

RULES = {
    "меню": {"kind": "boilerplate", "fields": ["page.body"], "rows": 9, "share": 0.5, "words": 3},
    "строки": {"kind": "repeated_lines", "max_share": 0.1, "min_lines": 3},
    "номер": {"kind": "regex", "patterns": "№303"},
    "знаки": {"kind": "characters", "of": "digits", "max_share": 0.5},
}
POOL = [
    *[row(f"м{i}", 700 + i, page={"body": "каталог доставка оплата гарантия возврат"}) for i in range(9)],
    *[row(f"п{i}", 300 + i, page={"body": f"Свой текст №{i},\n\nа за ним\tвторой {i * 7}"}) for i in range(9)],
    row("п0 ещё", 300, page={"body": "Свой текст №0, а за ним второй 0"}),
    row("строки", 400, page={"body": "а\nа\nа"}),
    row("из теста", 201),
    "{",
]
SOURCES = {"urls": "pool.jsonl", "second": {"files": "second.jsonl", "rows": 3}, "same": "pool.jsonl"}


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory):
    """Root, records and folder of clean pools of a project whose sources lose rows in many ways."""
    root = write_all(tmp_path_factory.mktemp("clean"), pool=POOL)
    write(root / "second.jsonl", [row("без", 500, segment=None), *rows("д", 6, 501, labelled=False)])
    out, _ = run(root, pool=SOURCES, junk={"rules": RULES})
    plan = project(root=str(root), pool=SOURCES)
    return root, out, write_clean_pools(plan, out, root / "clean")


def test_the_columns_have_the_names_of_the_project(cleaned):
    root, out, written = cleaned
    table = pq.read_table(root / "clean" / "urls.parquet")
    assert table.column_names == [
        "id", "segment", "product.id", "page.id", "product.title", "page.title", "page.body",
    ]  # fmt: skip
    assert written == {"urls": 8, "second": 3, "same": 0}
    assert table.column("id").to_pylist() == ids(out, "pool.urls") == [f"п{i}" for i in range(9) if i != 3]
    first = table.to_pylist()[0]
    assert first["page.body"] == "Свой текст №0, а за ним второй 0" and first["page.id"] == "p300"
    empty = pq.read_table(root / "clean" / "same.parquet")
    assert empty.num_rows == 0 and empty.column_names == table.column_names


def test_a_pool_of_the_clean_file_loses_nothing(cleaned, tmp_path):
    root, out, _ = cleaned
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.jsonl").write_bytes((root / f"{name}.jsonl").read_bytes())
    pool = {name: str(root / "clean" / f"{name}.parquet") for name in ("urls", "second")}
    again, audit = run(tmp_path, pool={**pool, "second": {"files": pool["second"], "rows": 3}}, junk={"rules": RULES})
    for split in ("pool.urls", "pool.second"):
        assert audit["rows"]["by_source"][split]["dropped"] == {}
        assert read_records(again, split) == read_records(out, split)


def test_without_a_column_of_ids_and_with_keys_that_are_read(tmp_path):
    lines = [row(f"п{i}", 300 + i, page={"title": f"  Дрель {i} "}) for i in range(4)]
    data = {"id": None, "keys": ["page.title"], "slice": None}
    out, _ = run(write_all(tmp_path, pool=lines), **data)
    write_clean_pools(project(root=str(tmp_path), **data), out, tmp_path / "clean")
    assert pq.read_schema(tmp_path / "clean" / "urls.parquet").names == [
        "id", "page.title", "product.title", "page.body",
    ]  # fmt: skip
    before = read_records(out, "pool.urls")
    again, audit = run(tmp_path, pool={"urls": "clean/urls.parquet"}, **data)
    assert read_records(again, "pool.urls") == before and audit["rows"]["by_source"]["pool.urls"]["dropped"] == {}


def test_no_file_of_the_project_is_replaced(cleaned):
    root, out, _ = cleaned
    plan = project(root=str(root), pool={"urls": "clean/urls.parquet"})
    with pytest.raises(UserError, match=r"(?s)would replace a file of the project.*urls\.parquet.*another folder"):
        write_clean_pools(plan, out, root / "clean")


def test_no_text_leaves_a_run_that_keeps_its_texts(cleaned, tmp_path):
    root, out, _ = cleaned
    plan = project(root=str(root), pool=SOURCES)
    kept = plan.model_copy(update={"report": plan.report.model_copy(update={"texts": False})})
    with pytest.raises(UserError, match="would take texts out of the run"):
        write_clean_pools(kept, out, tmp_path)
    assert not [*tmp_path.iterdir()]


def test_other_tools_read_it(cleaned):
    path = cleaned[0] / "clean" / "urls.parquet"
    duckdb = pytest.importorskip("duckdb")
    query = 'SELECT count(*), max("page.title") FROM read_parquet(?) WHERE segment = ?'
    assert duckdb.execute(query, [str(path), "аптека"]).fetchone() == (5, "Купить дрель 308 ёмкость")
