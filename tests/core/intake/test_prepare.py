import json
import random
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.config import merge, parse
from distill.core.errors import UserError
from distill.core.project import Project
from distill.core.record_store import read_records, splits
from tests.core.record_fixtures import LABELS, PROJECT, ids, prepare_and_audit, row, rows, run, write, write_all


def quarantine(out):
    return [json.loads(line) for line in (out / "quarantine.jsonl").read_text("utf-8").splitlines()]


def test_clean_data_comes_through_whole(tmp_path):
    out, audit = run(write_all(tmp_path))
    assert splits(out) == ["train", "valid", "test.seen", "pool.urls"]
    assert audit["rows"]["read"] == audit["rows"]["kept"] == 33
    assert audit["rows"]["dropped"] == {} and audit["leaks"] == [] and audit["leak_rows"] == 0
    assert (out / "quarantine.jsonl").read_bytes() == b""
    first = read_records(out, "train")[1]
    assert first.fields["page.title"] == "Купить дрель 1 ёмкость"
    assert first.target.tolist() == [0, 1, 0] and first.slice == "стройка"
    assert first.keys == {"product.id": "1", "page.id": "p1"}
    assert all(record.target is None for record in read_records(out, "pool.urls"))
    assert audit["balance"]["classes"]["train"] == dict.fromkeys(LABELS, 4)
    assert audit["balance"]["slices"]["valid"] == {"аптека": 3, "стройка": 3}


@pytest.mark.parametrize(
    ("changes", "read", "found"),
    [
        ({}, lambda record: record.id, "т1"),
        ({"id": "page.title"}, lambda record: record.id, "Купить дрель 1 ёмкость"),
        ({}, lambda record: record.slice, "стройка"),
        ({"slice": "id"}, lambda record: record.slice, "т1"),
        ({"keys": ["page.id"]}, lambda record: record.keys, {"page.id": "p1"}),
        ({"label": "second"}, lambda record: record.target.tolist(), [0, 0, 1]),
    ],
)
def test_the_columns_that_are_named_are_read(tmp_path, changes, read, found):
    second = {"second": "точно"}
    starts = {"train": ("т", 12, 0), "valid": ("в", 6, 100), "test": ("э", 6, 200)}
    splits = {name: [one | second for one in rows(*values)] for name, values in starts.items()}
    splits["train"][0] |= {"second": "мимо"}
    out, _ = run(write_all(tmp_path, **splits), **changes)
    assert read(read_records(out, "train")[1]) == found


FILES = {
    "train": rows("т", 12, 0),
    "valid": rows("в", 6, 100),
    "test": rows("э", 6, 200),
    "pool": rows("п", 9, 300, labelled=False),
}
BAD = {
    "broken_json": '{"id": ',
    "not_an_object": "[1, 2]",
    "invalid_utf8": b'{"id": "\xd0"}',
    "missing_id": row("", 900, "точно"),
    "wrong_type": row("плохой", 901, "точно", page={"body": {"абзац": "текст"}}),
    "missing_label": row("без метки", 902),
    "unknown_label": row("чужая", 903, "около"),
    "bad_label": row("список", 904) | {"метка": ["точно"]},
    "duplicate_id": row("т1", 905, "точно"),
}


def test_every_bad_row_goes_to_quarantine_with_its_reason(tmp_path):
    out, audit = run(write_all(tmp_path, train=[*rows("т", 12, 0), *BAD.values()]))
    assert audit["rows"]["by_source"]["train"]["dropped"] == dict.fromkeys(sorted(BAD), 1)
    found = {entry["reason"]: entry for entry in quarantine(out)}
    assert list(found) == list(BAD)
    assert found["unknown_label"]["file"] == "train.jsonl" and found["unknown_label"]["row"] == 19
    assert "около" in found["unknown_label"]["detail"] and "Дрель ударная №903" in found["unknown_label"]["raw"]
    assert "page.body" in found["wrong_type"]["detail"]
    assert audit["rows"]["by_source"]["train"]["first_bad_row"].startswith("train.jsonl:13, broken_json")
    assert ids(out, "train") == [f"т{i}" for i in range(12)]


def test_half_a_surrogate_pair_is_quarantined_and_its_raw_text_stays_readable(tmp_path):
    line = '{"id": "\\ud83d", "product": {"title": "ёж"}}'
    out, _ = run(write_all(tmp_path, pool=[*rows("п", 3, 300, labelled=False), line]))
    assert [entry["reason"] for entry in quarantine(out)] == ["invalid_utf8"]


def test_a_file_of_bad_rows_names_their_reason_not_columns(tmp_path):
    array = json.dumps(rows("т", 12, 0), ensure_ascii=False, indent=1).splitlines()
    with pytest.raises(UserError, match="no row of the file can be read") as error:
        run(write_all(tmp_path, train=array))
    assert "train.jsonl:1, broken_json" in str(error.value) and "one JSON object per line" in str(error.value)
    assert "column" not in str(error.value).partition("first bad row")[0]


def test_what_was_dropped_comes_before_a_message_about_columns_or_classes(tmp_path):
    strangers = [row(f"ч{i}", 500 + i, "около") for i in range(7)]
    one_class = [row(f"т{i}", i, "мимо") for i in range(12)]
    with pytest.raises(UserError, match="same label") as error:
        run(write_all(tmp_path, train=[*one_class, *strangers]))
    assert re.search(
        r"found: train dropped 7 of 19 rows: unknown_label 7; first bad row: .*около.*left: мимо", str(error.value)
    )
    with pytest.raises(UserError, match="no row has column") as error:
        run(write_all(tmp_path, train=["{", *rows("т", 12, 0)]), slice="segmet")
    assert "found: dropped 1 of 13 rows: broken_json 1" in str(error.value)


def test_values_of_any_depth_size_or_spelling_are_one_row(tmp_path):
    deep = '{"id": "глубоко", "product": {"title": ' + '{"a": ' * 300 + "1" + "}" * 301 + "}"
    votes = row("голоса", 930, "точно") | {"метка": '{"точно": 1, "точно": 2}'}
    nothing = row("пусто", 931, "\u200b")
    endless = row("без конца", 932) | {"метка": {"точно": float("inf")}}
    no_number = row("не число", 933) | {"метка": {"unknown label": True}}
    out, audit = run(write_all(tmp_path, train=[*rows("т", 12, 0), deep, votes, nothing, endless, no_number]))
    found = audit["rows"]["by_source"]["train"]["dropped"]
    assert found == {"bad_label": 3, "missing_label": 1, "wrong_type": 1}
    assert len(quarantine(out)) == 5


def test_without_an_id_column_ids_are_hashes_of_the_texts(tmp_path):
    bare = {name: [{k: v for k, v in line.items() if k != "id"} for line in lines] for name, lines in FILES.items()}
    bare["train"].append({**bare["train"][0], "page": {"title": "Другой"}})
    out, audit = run(write_all(tmp_path, **bare), id=None)
    names = ids(out, "train")
    assert len(set(names)) == 13 and all(re.fullmatch("[0-9a-f]{16}", name) for name in names)
    assert audit["rows"]["dropped"] == {} and audit["leaks"] == []
    write_all(tmp_path, **bare | {"train": [*bare["train"][::-1], bare["train"][3]]})
    again, audit = run(tmp_path, id=None)
    assert sorted(ids(again, "train")) == sorted(names) and audit["rows"]["dropped"] == {"duplicate": 1}


def test_fail_stops_at_the_first_bad_row(tmp_path):
    write_all(tmp_path, train=[*rows("т", 12, 0), BAD["unknown_label"]])
    with pytest.raises(UserError, match=r"train\.jsonl:13") as error:
        run(tmp_path, on_bad_row="fail")
    assert "unknown_label" in str(error.value) and "около" in str(error.value)
    assert not (tmp_path / "records" / "ledger.json").exists()


def test_what_a_test_has_too_is_dropped_from_training_where_asked(tmp_path):
    copies = [row(f"копия {i}", 200 + i, "мимо") for i in range(2)]
    numbered = row("э0", 700, "мимо")  # an id of a test row above another text
    train = [*rows("т", 12, 0), *copies, numbered]
    write_all(tmp_path, train=train, test=rows("э", 6, 200))
    _, before = run(tmp_path)
    assert before["leak_rows"] == 2 and before["leak_examples"] == {"test.seen": ["э0", "э1"]}
    out, audit = run(tmp_path, on_leak="drop_train")
    assert ids(out, "train") == [f"т{i}" for i in range(12)] + ["э0"] and len(ids(out, "test.seen")) == 6
    assert audit["duplicates"]["examples"]["train"]["in_test"] == ["копия 0", "копия 1"]
    assert audit["rows"]["by_source"]["train"] == {
        "read": 15,
        "kept": 13,
        "dropped": {"in_test": 2},
        "kept_in": {"train": 13},
    }
    assert audit["leak_examples"] == {"test.seen": ["э0"]}  # two rows under one id stay for a person to decide


def test_every_junk_rule_drops_under_its_own_reason(tmp_path):
    junk = [
        row("короткий", 0, "мимо", product={"title": "а"}, page={"title": "", "body": ""}),
        row("длинный", 1, "мимо", page={"body": "слово " * 100}),
        row("без названия", 2, "мимо", product={"title": None}),
        row("повтор", 3, "мимо", page={"body": "купи " * 60}),
        row("шаблон", 4, "мимо", page={"body": "404 страница не найдена"}),
    ]
    rules = {
        "min_chars": 5,
        "max_chars": 500,
        "required": ["product.title"],
        "repeated": 0.3,
        "patterns": ["не найдена"],
    }
    _, audit = run(write_all(tmp_path, train=[*rows("т", 12, 10), *junk]), junk=rules)
    reasons = ["missing_field", "pattern", "repeated_text", "too_long", "too_short"]
    assert audit["junk"]["by_reason"] == dict.fromkeys(reasons, 1)
    assert audit["junk"]["examples"]["train"]["pattern"] == ["шаблон"]
    assert audit["rows"]["by_source"]["train"]["kept"] == 12


def test_two_megabytes_of_text_pass_through(tmp_path):
    text = ("оченьдлинныйтекст" * 60 + " ") * 1000
    assert len(text.encode()) > 2_000_000
    out, audit = run(
        write_all(tmp_path, train=[*rows("т", 12, 0), row("большой", 50, "мимо", page={"body": text})]),
        junk={"max_chars": 3_000_000},
    )
    assert read_records(out, "train")[-1].fields["page.body"] == text.strip()
    assert audit["tokens"]["document"]["train"]["max"] > 1000


def test_repeated_texts_are_dropped_and_other_labels_named(tmp_path):
    same, other = row("повтор", 1, LABELS[1]), row("спор", 2, LABELS[0])
    out, audit = run(write_all(tmp_path, train=[*rows("т", 12, 0), same, other]))
    assert audit["duplicates"]["by_reason"] == {"duplicate": 1, "duplicate_other_label": 1}
    assert audit["duplicates"]["examples"]["train"]["duplicate_other_label"] == ["спор"]
    assert any("another label" in warning for warning in audit["warnings"])
    assert read_records(out, "train")[2].target.tolist() == [0, 0, 1]


def _soup(seed):
    """Good and bad rows of all kinds in a random order."""
    random_ = random.Random(seed)
    lines = [*rows("т", 12, 0)]
    for number in range(60):
        kind = random_.choice(["good", "again", *BAD])
        good = row(f"с{number}", 1000 + random_.randrange(30), random_.choice(LABELS))
        lines.append(good if kind == "good" else lines[random_.randrange(12)] if kind == "again" else BAD[kind])
    random_.shuffle(lines)
    return lines


@pytest.mark.parametrize("seed", range(5))
def test_the_ledger_adds_up_for_a_soup_of_rows(tmp_path, seed):
    lines = _soup(seed)
    out, audit = run(write_all(tmp_path, train=lines, pool=[*rows("п", 9, 300), *_soup(seed + 100)]))
    ledger = audit["rows"]
    for counts in [ledger, *ledger["by_source"].values()]:
        assert counts["read"] == counts["kept"] + sum(counts["dropped"].values())
    assert ledger["by_source"]["train"]["read"] == len(lines)
    assert ledger["by_source"]["train"]["kept"] == len(read_records(out, "train"))
    assert ledger["by_source"]["pool.urls"]["kept"] == len(read_records(out, "pool.urls"))
    reasons = {entry["reason"] for entry in quarantine(out)}
    assert reasons <= set(BAD) and len(quarantine(out)) == sum(ledger["dropped"].get(reason, 0) for reason in BAD)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    write_all(tmp_path, train=_soup(1), pool=_soup(7))
    out, _ = run(tmp_path)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    out, _ = run(tmp_path)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_files_of_a_killed_run_do_not_stay(tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "pool.gone.parquet").write_bytes(b"half")
    out, _ = run(write_all(tmp_path))
    assert "pool.gone" not in splits(out)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("id", {"id": "ид"}),
        ("метка", {"label": "меткаа"}),
        ("segment", {"slice": "segmet"}),
        ("product.id", {"keys": ["product.uid"]}),
    ],
)
def test_a_column_that_no_row_has_is_named_with_the_nearest(tmp_path, column, change):
    with pytest.raises(UserError, match=r"no row has column") as error:
        run(write_all(tmp_path), **change)
    missing = next(iter(change.values()))
    missing = missing[0] if isinstance(missing, list) else missing
    assert f"'{missing}' (data.{next(iter(change))})" in str(error.value)
    assert "train.jsonl" in str(error.value) and column in str(error.value)


def test_a_field_that_no_row_has_is_named_with_its_view(tmp_path):
    bare = [{**values, "page": {"id": "1", "title": "Ёж"}} for values in rows("т", 12, 0)]
    with pytest.raises(UserError, match=r"'page\.body' \(views\.document\)"):
        run(write_all(tmp_path, train=bare))


def test_a_pool_may_lack_texts_of_the_richer_view_only(tmp_path):
    bare = [{"id": f"п{i}", "product": {"title": f"Ёж {i}"}, "page": {"title": "Лес"}} for i in range(5)]
    _, audit = run(write_all(tmp_path, pool=bare))
    assert "pool.urls: some file has no column page.body" in audit["warnings"]
    for side in bare:
        del side["product"]
    with pytest.raises(UserError, match=r"product\.title"):
        run(write_all(tmp_path, pool=bare))


def test_one_class_in_train_is_refused(tmp_path):
    with pytest.raises(UserError, match="same label") as error:
        run(write_all(tmp_path, train=[row(f"т{i}", i, "мимо") for i in range(12)]))
    assert "data.train" in str(error.value) and "мимо" in str(error.value)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_label_that_train_lacks_is_named_with_its_row(tmp_path, split):
    train = [values for values in rows("т", 12, 0) if values["метка"] != "точно"]
    evaluation = {name: [v for v in rows(name, 6, 500) if v["метка"] != "точно"] for name in ("valid", "test")}
    evaluation[split] = [*evaluation[split], row("беда", 777, "точно")]
    with pytest.raises(UserError, match="train lacks") as error:
        run(write_all(tmp_path, train=train, **evaluation))
    assert "точно" in str(error.value) and f"{split}.jsonl, row 5" in str(error.value)


def test_an_empty_pool_shows_its_ledger(tmp_path):
    write_all(tmp_path, pool=[*rows("копия", 4, 0, labelled=False), "{"])
    with pytest.raises(UserError, match="the pool has no rows left") as error:
        run(tmp_path)
    assert re.search(r"data\.pool\.urls.*read 5, kept 0, in_train 4, broken_json 1", str(error.value), re.DOTALL)


def test_a_split_without_rows_shows_why(tmp_path):
    with pytest.raises(UserError, match="split 'valid' has no rows left") as error:
        run(write_all(tmp_path, valid=[row("в", 1, "около")]))
    assert "unknown_label 1; first bad row: valid.jsonl:1" in str(error.value)


def test_an_empty_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no rows") as error:
        run(write_all(tmp_path, test=[]))
    assert "test.jsonl" in str(error.value)


@pytest.mark.parametrize(
    ("change", "key"), [({"patterns": ["("]}, "patterns"), ({"required": ["page.titel"]}, "page.title")]
)
def test_unusable_junk_rules_are_named(tmp_path, change, key):
    with pytest.raises(UserError, match=key):
        run(write_all(tmp_path), junk=change)


def test_names_become_file_names(tmp_path):
    with pytest.raises(UserError, match=r"data\.test"):
        run(write_all(tmp_path), test={"../наружу": "test.jsonl"})


def test_without_validation_files_a_share_of_keys_is_held_out(tmp_path):
    train = [row(f"т{i}", i, LABELS[i % 3], product={"id": i // 4}) for i in range(200)]
    out, audit = run(write_all(tmp_path, train=train), valid=None, split={"valid": 0.2})
    keys = {split: {record.keys["product.id"] for record in read_records(out, split)} for split in ("train", "valid")}
    assert not keys["train"] & keys["valid"]
    assert 0.08 < len(read_records(out, "valid")) / 200 < 0.35
    assert audit["rows"]["by_source"]["train"]["kept_in"] == {split: len(read_records(out, split)) for split in keys}


def keyed(**data):
    return {"valid": None, "test": {}, "split": {"mode": "keys", "valid": 0.1, "test": 0.2}, **data}


def run_keys(root, **data):
    values = merge(PROJECT, {"data": {"root": str(root)}})
    values["data"] |= keyed(**data)
    out = root / "records"
    return out, prepare_and_audit(parse(Project, values, "test"), out)


def test_splits_by_keys_share_no_key_and_count_what_crosses(tmp_path):
    train = [row(f"т{i}", i, LABELS[i % 3], product={"id": i % 80}, page={"id": f"p{i // 3}"}) for i in range(240)]
    pool = [row(f"п{i}", 300 + i, None, product={"id": i}, page={"id": f"другой{i}"}) for i in range(80)]
    write_all(tmp_path, train=train, pool=pool)
    out, audit = run_keys(tmp_path)
    assert splits(out) == ["train", "valid", "test.unseen", "pool.urls"]
    for path in ("product.id", "page.id"):
        parts = [{record.keys[path] for record in read_records(out, split)} for split in splits(out)[:3]]
        assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    counts = audit["rows"]["by_source"]["train"]
    assert 0 < counts["dropped"]["crosses_split"] < 0.65 * 240
    assert sum(counts["kept_in"].values()) == 240 - counts["dropped"]["crosses_split"]
    held = {r.keys["product.id"] for split in ("valid", "test.unseen") for r in read_records(out, split)}
    assert not held & {record.keys["product.id"] for record in read_records(out, "pool.urls")}
    assert audit["rows"]["by_source"]["pool.urls"]["dropped"]["key_in_evaluation"] > 0
    assert not [leak for leak in audit["leaks"] if leak["kind"].startswith("key")]


def test_crossing_rows_are_warned_about_and_too_many_are_an_error(tmp_path):
    random_ = random.Random(1)
    keys = [(random_.randrange(30), random_.randrange(30)) for _ in range(300)]
    train = [row(f"т{i}", i, LABELS[i % 3], product={"id": a}, page={"id": f"p{b}"}) for i, (a, b) in enumerate(keys)]
    write_all(tmp_path, train=train)
    _, audit = run_keys(tmp_path)
    counts = audit["rows"]["by_source"]["train"]
    lost, kept = counts["dropped"]["crosses_split"], counts["kept"]
    assert lost + kept == 300 and abs(counts["kept_in"]["test.unseen"] / kept - 0.2) < 0.05
    (warning,) = [line for line in audit["warnings"] if "split" in line]
    assert f"{lost} of 300 rows" in warning and f"test.unseen {counts['kept_in']['test.unseen']}" in warning
    with pytest.raises(UserError, match=r"crosses_split \d+ of 300 rows \((6[5-9]|7\d)\.\d%\)"):
        run_keys(tmp_path, split={"mode": "keys", "valid": 0.2, "test": 0.2})


@pytest.mark.parametrize(("by", "kept"), [(None, False), (["product.id"], True)])
def test_a_pool_row_with_a_test_product_on_the_other_side_is_out_where_that_side_is_split_by(tmp_path, by, kept):
    train = [
        row(f"т{i}", i, LABELS[i % 3], product={"id": f"о{i // 3}"}, page={"id": f"ж{i // 3}"}) for i in range(240)
    ]
    pool = [row(f"п{i}", 300 + i, None, product={"id": f"новый{i}"}, page={"id": f"о{i}"}) for i in range(80)]
    split = {"mode": "keys", "valid": 0.1, "test": 0.2, **({"keys": by} if by else {})}
    out, _ = run_keys(write_all(tmp_path, train=train, pool=pool), split=split)
    held = {r.keys["product.id"] for split in ("valid", "test.unseen") for r in read_records(out, split)}
    there = {record.keys["page.id"] for record in read_records(out, "pool.urls")}
    assert held and there and bool(held & there) == kept


@pytest.mark.parametrize(("keys", "missed"), [(4, True), (40, False)])
def test_parts_far_from_their_shares_are_a_warning(tmp_path, keys, missed):
    train = [row(f"т{i}", i, LABELS[i // 40 % 3], product={"id": i % keys}) for i in range(240)]
    _, audit = run_keys(write_all(tmp_path, train=train), keys=["product.id"])
    told = [line for line in audit["warnings"] if "are asked for" in line]
    assert [line[:58] for line in told] == ["valid: 25% of the rows of train, 10% are asked for; what b"] * missed


def test_votes_and_compressed_files(tmp_path):
    train = [values | {"метка": {values["метка"]: 3, "мимо": 1}} for values in rows("т", 12, 0)]
    write(tmp_path / "train.jsonl.gz", train)
    out, audit = run(write_all(tmp_path), train=["train.jsonl.gz"])
    assert read_records(out, "train")[1].target.tolist() == [0.25, 0.75, 0]
    assert audit["balance"]["classes"]["train"] == dict.fromkeys(LABELS, 4)


@pytest.mark.parametrize("kind", ["struct", "map"])
def test_votes_of_a_parquet_file_are_those_that_are_there(tmp_path, kind):
    votes = [{"мимо": 3}, {"рядом": 2, "точно": 2}, {"точно": 1.0}]
    lines = [values | {"метка": votes[i % 3]} for i, values in enumerate(rows("т", 12, 0))]
    table = pa.Table.from_pylist(lines)
    if kind == "map":
        own = pa.array([[*line["метка"].items()] for line in lines], pa.map_(pa.string(), pa.float64()))
        table = table.set_column(table.schema.get_field_index("метка"), "метка", own)
    pq.write_table(table, tmp_path / "train.parquet")
    out, _ = run(write_all(tmp_path), train=["train.parquet"])
    assert [record.target.tolist() for record in read_records(out, "train")] == [
        [1, 0, 0],
        [0, 0.5, 0.5],
        [0, 0, 1],
    ] * 4


def test_gold_of_nulls_alone_is_missing(tmp_path):
    lines = [*rows("т", 12, 0), row("ничей", 40) | {"метка": {"мимо": None}}, row("пуст", 41) | {"метка": [None]}]
    _, audit = run(write_all(tmp_path, train=lines))
    assert audit["rows"]["by_source"]["train"]["dropped"] == {"missing_label": 2}
