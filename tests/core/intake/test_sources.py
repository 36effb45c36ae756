import csv
import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from distill.core.intake.encoding import guess
from distill.core.intake.sources import Reading, data_files, expand, read_rows
from tests.core.record_fixtures import project, rows, write, write_all

ROWS = [
    {"id": "а1", "title": "Дрель «Зубр»", "text": 'строка, "кавычки"\nи перенос'},
    {"id": "а2", "title": "Ёлка", "text": ""},
]


def _write_table(path: Path, delimiter: str) -> Path:
    opened = gzip.open(path, "wt", encoding="utf-8", newline="") if path.suffix == ".gz" else path.open("w", newline="")
    with opened as file:
        writer = csv.DictWriter(file, ["id", "title", "text"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.gz", "a.parquet"])
def test_every_format_gives_the_same_rows(tmp_path, name):
    path = tmp_path / name
    if ".jsonl" in name:
        write(path, ROWS)
    elif name == "a.parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        _write_table(path, ",")
    assert [found.values for found in read_rows(path)] == ROWS


def test_a_tsv_has_quotes_only_where_they_are_declared(tmp_path):
    path = _write_table(tmp_path / "a.tsv", "\t")
    assert [found.values for found in read_rows(path, Reading(quotes="double"))] == ROWS
    path.write_text('id\ttext\n1\t"Слова начинаются\n2\tи идут\n3\tи кончаются"\n', encoding="utf-8")
    texts = ['"Слова начинаются', "и идут", 'и кончаются"']
    assert [(row.number, row.values["text"]) for row in read_rows(path)] == list(zip((2, 3, 4), texts, strict=True))


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("a.csv", "id,text\r1,ёж\r2,уж\r", [("1", "ёж"), ("2", "уж")]),
        ("a.tsv", "id\ttext\r\n1\tёж\r\n", [("1", "ёж")]),
        ("a.csv", "sep=;\nid;text\n1;ёж, уж\n", [("1", "ёж, уж")]),
        ("a.csv", 'id,"text"\n1,"ёж\rуж"\n', [("1", "ёж\rуж")]),
        ("a.csv", "id;text;;\n1;ёж;;\n2;уж\n", [("1", "ёж"), ("2", "уж")]),
        ("a.csv", "id,text\n1,ёж,,\n\n,\n2,уж\n", [("1", "ёж"), ("2", "уж")]),
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path, name, text, rows):
    (tmp_path / name).write_bytes(text.encode())
    assert [(row.values["id"], row.values["text"]) for row in read_rows(tmp_path / name)] == rows


def test_a_columns_name_may_hold_a_line_break(tmp_path):
    (tmp_path / "a.csv").write_text('id,"text\n(ru)",label\n1,ёж,да\n', encoding="utf-8")
    (row,) = read_rows(tmp_path / "a.csv")
    assert row.values == {"id": "1", "text\n(ru)": "ёж", "label": "да"} and row.number == 3


def test_of_a_parquet_file_only_the_named_columns_are_converted(tmp_path):
    stamps = pa.array([1], pa.timestamp("ns"))  # nanoseconds, which Python's datetime has not
    table = pa.table({"id": ["1"], "page": [{"title": "ёж"}], "updated": stamps})
    pq.write_table(table, tmp_path / "a.parquet")
    (row,) = read_rows(tmp_path / "a.parquet", Reading(columns=["id", "page.title"]))
    assert row.values == {"id": "1", "page": {"title": "ёж"}}
    with pytest.raises(UserError, match=r"updated \(timestamp\[ns\]\)"):
        list(read_rows(tmp_path / "a.parquet", Reading(columns=["id", "updated"])))
    (row,) = read_rows(tmp_path / "a.parquet")  # asked for whatever there is
    assert set(row.values) == {"id", "page"}


def test_two_parquet_columns_of_one_name_are_refused_where_they_are_read(tmp_path):
    table = pa.Table.from_arrays([pa.array(["1"]), pa.array(["да"]), pa.array(["нет"])], names=["id", "label", "label"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match="duplicate column in the file[\\s\\S]*label"):
        list(read_rows(tmp_path / "a.parquet", Reading(columns=["id", "label"])))
    assert len(list(read_rows(tmp_path / "a.parquet", Reading(columns=["id"])))) == 1


def test_brackets_in_the_roots_name_are_letters(tmp_path):
    root = tmp_path / "data [v2]"
    root.mkdir()
    path = write(root / "train-1.jsonl", ROWS)
    assert expand(root, ["train-*.jsonl"], "data.train") == [path]
    with pytest.raises(UserError, match="a folder, where files are needed[\\s\\S]*data.train"):
        expand(tmp_path, ["data [v2]"], "data.train")


def test_semicolons_of_a_spreadsheet_are_read(tmp_path):
    assert [found.values for found in read_rows(_write_table(tmp_path / "a.csv", ";"))] == ROWS


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_of_a_csv_are_told_by_the_header(tmp_path, delimiter):
    header = delimiter.join(['"id, или номер"', "text (a, b)", "label"])
    (tmp_path / "a.csv").write_text(f"{header}\n" + delimiter.join(["1", "ёж, уж", "да"]) + "\n", encoding="utf-8")
    (row,) = read_rows(tmp_path / "a.csv")
    assert row.values == {"id, или номер": "1", "text (a, b)": "ёж, уж", "label": "да"}


def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + "id,title\n1,Ёж\n".encode())
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + b'{"id": "1"}\n')
    assert [list(read_rows(tmp_path / name))[0].values["id"] for name in ("a.csv", "a.jsonl")] == ["1", "1"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": "x", ', "broken_json"),
        ('["не", "объект"]', "not_an_object"),
        ("[" * 100_000, "broken_json"),
        ('{"id": "x", "t": {"a": 1, "b": 2, "a": 3}}', "duplicate_key"),
        ('{"id": ' + "9" * 5000 + "}", "huge_number"),
        (b'{"id": "\xff\xfe"}', "invalid_utf8"),
    ],
)
def test_a_broken_line_is_one_row_with_a_problem(tmp_path, line, reason):
    path = write(tmp_path / "a.jsonl", [*rows("т", 12, 0), line, "", *rows("б", 2, 50)])
    found = list(read_rows(path))
    assert [(row.number, row.problem.reason) for row in found if row.problem] == [(13, reason)]
    assert len(found) == 15


def test_table_rows_with_other_numbers_of_cells(tmp_path):
    (tmp_path / "a.csv").write_text('id,текст\n1,"два\nряда"\n2,а,лишнее\n3\n4,ладно\n"5"х,плохо\n')
    found = [(row.number, row.problem and row.problem.reason) for row in read_rows(tmp_path / "a.csv")]
    assert found == [(2, None), (4, "wrong_cells"), (5, "wrong_cells"), (6, None), (7, "broken_csv")]


def test_a_row_broken_after_several_lines_loses_its_first_line_only(tmp_path):
    lines = ["id,text,label", *(f"{number},text {number},x" for number in range(2, 40))]
    lines[4], lines[29], lines[34] = '5,"Samsung monitor,x', '30,"LG monitor,x', '35,"closed at last",x'
    for first, name in ((0, "a.csv"), (1, "b.csv")):
        (tmp_path / name).write_text("\n".join(["sep=,"][:first] + lines) + "\n")
        rows = list(read_rows(tmp_path / name))
        assert [row.number for row in rows] == list(range(2 + first, len(lines) + 1 + first))
        bad = [(row.number - first, row.problem.reason, row.raw) for row in rows if row.problem]
        assert bad == [(line, "broken_csv", lines[line - 1] + "\n") for line in (5, 30)]
        assert rows[-1].values == {"id": "39", "text": "text 39", "label": "x"}


@pytest.mark.parametrize("last", ['30,LG monitor 15",x', '30,LG monitor 15",x,more'])
def test_a_cell_that_has_swallowed_rows_is_refused_with_its_lines(tmp_path, last):
    lines = ["id,text,label", *(f"{number},text {number},x" for number in range(2, 40))]
    lines[4], lines[29] = '5,"Samsung, a monitor,x', last
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=r"(?s)closed only in line 30; 24 lines .*a\.csv, line 5"):
        list(read_rows(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    "text", ["\n".join(["flour, 200 g"] * 9), "one\n\ntwo\nthree\nfour", "a,b\nf(a,b)\nplain words\nmore\nand, more\nc"]
)
def test_cells_of_many_lines_are_texts(tmp_path, text):
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text", "label"], [text, "x"], [text, "y"]])
    assert [row.values for row in read_rows(tmp_path / "a.csv")] == [{"text": text, "label": own} for own in "xy"]


def test_two_megabytes_in_one_cell_and_one_line(tmp_path):
    text = "очень длинный текст " * 60_000
    assert len(text.encode()) > 2_000_000
    write(tmp_path / "a.jsonl", [{"id": "1", "текст": text}])
    (tmp_path / "a.csv").write_text(f"id,текст\n1,{text}\n")
    for name in ("a.jsonl", "a.csv"):
        assert [row.values["текст"] for row in read_rows(tmp_path / name)] == [text]


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866"])
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_file_in_another_encoding_is_named_with_the_fix(tmp_path, encoding, suffix):
    lines = ["id,текст"] if suffix == "csv" else []
    for number in range(30):
        cell = f"дрель ударная номер {number} для дома"
        lines.append(
            f"{number},{cell}" if suffix == "csv" else json.dumps({"id": number, "текст": cell}, ensure_ascii=False)
        )
    path = tmp_path / f"a.{suffix}"
    path.write_bytes("\n".join(lines).encode(encoding))
    with pytest.raises(UserError) as error:
        list(read_rows(path))
    assert f"{path}, line 1" in str(error.value)
    assert f"it reads as {encoding}" in str(error.value)
    advice = f"convert with iconv -f {encoding} -t utf-8; a project may say data.encoding: {encoding} instead"
    assert advice in str(error.value)
    assert all("дрель" in row.values["текст"] for row in read_rows(path, Reading(encoding)))


def test_a_western_file_is_not_taken_for_cyrillic(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes("\n".join(['{"id": "1", "t": "café déjà naïve"}'] * 9).encode("cp1252"))
    with pytest.raises(UserError, match="not UTF-8") as error:
        list(read_rows(path))
    assert "reads as" not in str(error.value)


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866"])
@pytest.mark.parametrize("form", [str, str.upper, str.title])
def test_capitals_and_abbreviations_tell_encodings_apart(encoding, form):
    texts = [
        "Продам белый шкаф, самовывоз",
        "ГОСТ 12 ООО ТУ МВД СССР",
        "Насос для дачи 750 Вт",
        "Чайник ёмкостью 2 л с подсветкой",
    ]
    assert [guess(form(text).encode(encoding)) for text in texts] == [encoding] * len(texts)


def test_too_few_letters_are_no_evidence():
    assert guess("10 мм x 20 мм, 5 кг".encode("koi8-r")) is None
    assert guess("Καλημέρα κόσμε, αυτό είναι ένα κείμενο".encode("cp1253")) is None


@pytest.mark.parametrize("first", ["x", "x" * (1 << 20)])
def test_a_utf8_file_is_not_read_in_another_encoding(tmp_path, first):
    path = write(tmp_path / "a.jsonl", [{"id": 1, "t": first}, {"id": 2, "t": "ёж"}])
    with pytest.raises(UserError, match="reads as UTF-8; data.encoding: cp1251"):
        list(read_rows(path, Reading("cp1251")))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf16_is_named(tmp_path, encoding):
    (tmp_path / "a.csv").write_text("id,текст\n1,ёж\n", encoding=encoding)
    with pytest.raises(UserError, match="iconv -f utf-16"):
        list(read_rows(tmp_path / "a.csv"))


@pytest.mark.parametrize("encoding", ["cp-1251x", "utf-16"])
def test_unusable_encodings_are_refused(tmp_path, encoding):
    with pytest.raises(UserError, match=r"data\.encoding"):
        list(read_rows(write(tmp_path / "a.jsonl", ROWS), Reading(encoding)))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b"", "no rows"),
        ("a.jsonl", b"\n\n", "no rows"),
        ("a.csv", "id,текст\n".encode(), "no rows"),
        ("a.csv", b"id,id\n1,2\n", "duplicate column in the header"),
        ("a.csv", b",,\n1,2,3\n", "the header names no column"),
        ("a.csv", b'id,text\n1,"open\n2,x\n', "line 2"),
        ("a.jsonl.gz", b"no gzip", "broken gzip"),
        ("a.jsonl.gz", gzip.compress(b'{"id": 1}\n' * 1000, mtime=0)[:-20], "broken gzip"),
        ("a.parquet", b"no parquet", "broken Parquet"),
        ("a.xlsx", b"x", "unknown file format"),
    ],
)
def test_unusable_files_are_named(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message) as error:
        list(read_rows(tmp_path / name))
    assert name in str(error.value)


def test_globs_are_sorted_and_a_file_counts_once(tmp_path):
    for name in ("б.jsonl", "а.jsonl", "c.txt"):
        write(tmp_path / name, ROWS)
    assert [path.name for path in expand(tmp_path, ["*.jsonl", "б.jsonl"], "data.train")] == ["а.jsonl", "б.jsonl"]


@pytest.mark.parametrize(("pattern", "what"), [("нет.jsonl", "file not found"), ("нет*.jsonl", "no file matches")])
def test_a_pattern_without_files_names_key_and_path(tmp_path, pattern, what):
    write_all(tmp_path)
    with pytest.raises(UserError, match=what) as error:
        data_files(project(root=str(tmp_path), train=[pattern]), Path())
    assert "data.train" in str(error.value) and str(tmp_path / pattern) in str(error.value)


def test_a_file_counts_once_however_many_links_lead_to_it(tmp_path):
    path = write(tmp_path / "train.jsonl", ROWS)
    (tmp_path / "again.jsonl").symlink_to(path)
    (tmp_path / "here").symlink_to(tmp_path)
    assert len(expand(tmp_path, ["**/*.jsonl", "here/here/train.jsonl"], "data.train")) == 1


def test_what_is_no_regular_file_is_named_for_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "loop.jsonl").symlink_to(tmp_path / "loop.jsonl")
    (tmp_path / "folder").mkdir()
    words = {"pipe.jsonl": "a named pipe", "loop.jsonl": "a link that leads back to itself", "folder": "a folder"}
    for name, what in words.items():
        with pytest.raises(UserError, match=rf"{what}[^/]*where: data\.train"):
            expand(tmp_path, [name], "data.train")


def test_the_root_starts_from_the_base(tmp_path):
    (tmp_path / "data").mkdir()
    write_all(tmp_path / "data")
    files = data_files(project(root="data"), tmp_path)
    assert list(files) == ["train", "valid", "test.seen", "pool.urls"]
    assert files["train"] == [tmp_path / "data" / "train.jsonl"]


def test_links_name_no_file_twice(tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    (tmp_path / "y.csv").symlink_to(tmp_path / "x.csv")
    (tmp_path / "self").symlink_to(tmp_path)
    assert expand(tmp_path, ["**/*.csv", "self/x.csv", "y.csv"], "data.train") == [tmp_path / "x.csv"]


def test_a_row_group_of_parquet_is_never_all_in_memory(tmp_path):
    texts = [os.urandom(1000).hex() for _ in range(8000)]  # 16 MB in one row group
    pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet", use_dictionary=False)
    before, found = pa.total_allocated_bytes(), 0
    for row in read_rows(tmp_path / "in.parquet"):
        assert row.values["text"] == texts[found]
        found += 1
        assert pa.total_allocated_bytes() - before < 8e6
    assert found == len(texts)
