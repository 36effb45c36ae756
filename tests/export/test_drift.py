"""Drift: files drawn as the reference was do not alarm, and each planted shift is named."""

import csv
import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from distill.core.errors import UserError
from distill.pipeline.bundle_findings import drifted, verified
from export import drift
from export.runtime import BundleError, drift_of, load_bundle
from tests.export.tiny_bundle import LABELS, MULTI, VIEW, copy_of, make_bundle, reseal, shared_bundle, some_records

QUANTITIES = 10  # a report of so many: each may alarm at a tenth of the level


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(shared_bundle(), threads=1)


def on_the_command_line(folder, *arguments):
    command = [sys.executable, "-I", "-B", str(folder / "runtime.py"), "--threads", "1", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", cwd=folder.parent)


def write(path, records):
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return str(path)


def alarms(draw, rows, times, keyed=False):
    """The share of files, drawn as their reference was, in which one of ten quantities alarms by chance alone."""
    found = 0
    for seed in range(times):
        chance = np.random.default_rng(seed)
        (a, a_keys), (b, b_keys) = draw(chance, rows[0]), draw(chance, rows[1])
        still = {f"still {i}": np.zeros(len(b), bool) for i in range(QUANTITIES - 1)}
        held = {name: drift.histogram(np.zeros(9, bool), []) for name in still}
        held["x"] = drift.histogram(a, a_keys if keyed else [])
        found += drift.compare(held, {**still, "x": b}, b_keys if keyed else [], limit=0)["drifted"] == ["x"]
    return found / times


def independent(make):
    return lambda chance, rows: (make(chance, rows), [])


def clustered(chance, rows):
    """Five records of each product, alike but for noise."""
    products = np.repeat(np.arange(rows // 5), 5)
    values = chance.normal(size=rows // 5)[products] + chance.normal(size=len(products)) / 2
    return values, [[str(one) for one in products]] + [[str(i) for i in range(len(products))]]


@pytest.mark.parametrize(
    "make",
    [
        lambda chance, rows: chance.beta(0.3, 0.7, rows),
        lambda chance, rows: np.minimum(chance.poisson(20, rows), 24).astype(float),
        lambda chance, rows: chance.random(rows) < 0.03,
        lambda chance, rows: chance.random(rows) < 0.3,
    ],
    ids=["scores", "lengths that are cut", "a rare case", "a common case"],
)
@pytest.mark.parametrize("rows", [(120, 40), (1000, 300)])
def test_files_drawn_as_the_reference_was_alarm_at_the_stated_rate(make, rows):
    """Each of ten quantities may alarm in one file of 1,000: of 300 files in 3 at most (p = 0.0003 for more)."""
    assert alarms(independent(make), rows, 300) <= 3 / 300


def test_records_of_one_product_are_no_independent_draws():
    """Five like records count as little more than one: without the keys many such files would alarm."""
    assert alarms(clustered, (400, 400), 150, keyed=True) <= 2 / 150
    assert alarms(clustered, (400, 400), 100) > 0.04


def test_the_spread_of_records_without_keys_is_that_of_independent_ones():
    cells, twice = np.array([0, 0, 1, 2, 2, 2]), np.repeat([0, 0, 1, 2, 2, 2], 2)
    assert drift._spread(cells, [], 3) == pytest.approx([2 / 6, np.sqrt(2) / 6])
    # Every record twice is as many records as before, by the key, but for C / (C − 1).
    by_key = drift._spread(twice, [[str(i // 2) for i in range(12)]], 3)
    assert by_key == pytest.approx([6 / 5 * 2 / 6, 6 / 5 * np.sqrt(2) / 6])


@pytest.mark.parametrize("degrees", [1, 2, 3.7, 9])
def test_the_quantile_is_that_of_chi_square(degrees):
    for share in (0.01, 1e-3, 3e-4):
        assert drift.chi_square_quantile(share, degrees) == pytest.approx(chi2.isf(share, degrees), rel=0.06)


def test_psi_is_its_definition_with_half_a_record_more_in_each_cell():
    found, used = drift.psi(np.array([10, 30, 0, 0]), np.array([20, 5, 5, 0]))
    p, q = np.array([10.5, 30.5, 0.5]) / 41.5, np.array([20.5, 5.5, 5.5]) / 31.5
    assert used == 3 and found == pytest.approx(float(((q - p) * np.log(q / p)).sum()))


@pytest.mark.parametrize("moved", [3.0, 7.0])
def test_a_value_of_most_records_is_a_cell_of_its_own_so_that_a_move_to_either_side_shows(moved):
    held = {"tokens": drift.histogram(np.full(200, 5.0), [])}
    assert drift.compare(held, {"tokens": np.full(60, 5.0)}, [])["drifted"] == []
    assert drift.compare(held, {"tokens": np.full(60, moved)}, [])["drifted"] == ["tokens"]


def test_values_are_shared_out_with_room_for_what_they_may_be_off():
    """Half of the rows are 0.5, to rounding: neither they nor their neighbours change cells where all are off."""
    values = np.concatenate([np.linspace(0, 1, 100), 0.5 + np.linspace(-1e-7, 1e-7, 100)])
    held = {"score": drift.histogram(values, [], off=1e-3)}
    assert sum(held["score"]["counts"]) == 200 and sum(count >= 100 for count in held["score"]["counts"]) == 1
    for off in (-9e-4, 9e-4):
        assert drift.compare(held, {"score": values + off}, [])["quantities"][0]["psi"] < 0.01
    for off in (-0.01, 0.01):
        assert drift.compare(held, {"score": values + off}, [])["drifted"] == ["score"]


def test_values_nearer_than_they_may_be_off_are_one_cell():
    held = drift.histogram(np.linspace(0.5, 0.501, 200), [], off=1e-3)
    assert held["counts"] == [0, 200, 0]


def test_records_that_read_alike_do_not_drift_together(tmp_path):
    """Scores of the reference are computed row by row, those of a file in batches: a block is off by an ulp."""
    records = some_records(300, seed=5)
    records = [records[i % 20 // 3 if i % 20 < 6 else i] for i in range(300)]  # two texts in 15% of the rows each
    folder = make_bundle(tmp_path, records=records)
    for precision in ("fp32", "int8"):
        found = load_bundle(folder, precision, 1).drift(records)
        assert max(row["psi"] for row in found["quantities"]) < 0.01


def test_the_records_of_the_reference_and_others_drawn_alike_have_not_drifted(bundle):
    same = bundle.drift(some_records(120))
    assert same["passed"] and (same["split"], same["of"]) == ("valid", 120)
    assert max(row["psi"] for row in same["quantities"]) < 0.01
    for seed in range(2, 12):
        assert bundle.drift(some_records(40, seed=seed), limit=0)["drifted"] == [], seed


SHIFTS = {
    "tokens": lambda row, i: {**row, "page.body": "x2"},
    "cut": lambda row, i: {"page.title": "цена"},
    "unknown tokens": lambda row, i: {**row, "page.title": "無線 無線 " + row["page.title"]},
    "empty product.defin": lambda row, i: {**row, "product.defin": " "},
}


@pytest.mark.parametrize("name", SHIFTS)
def test_a_planted_shift_is_named(bundle, name):
    moved = [SHIFTS[name](row, i) for i, row in enumerate(some_records(150, seed=7))]
    found = bundle.drift(moved)
    assert not found["passed"] and name in found["drifted"]
    assert not {one for one in found["drifted"] if one.startswith("empty")} - {f"empty {p}" for p in moved[0]} or (
        name == "cut"
    )


def test_other_scores_and_labels_are_named_where_the_texts_are_alike(bundle):
    class Turned:
        """The same model with its classes in another order."""

        def __getattr__(self, name):
            return getattr(bundle.session, name)

        def run(self, *given):
            return [bundle.session.run(*given)[0][:, [1, 2, 0]]]

    found = dataclasses.replace(bundle, session=Turned()).drift(some_records(150, seed=7))
    assert "label" in found["drifted"] and {f"score {label}" for label in LABELS} & set(found["drifted"])
    assert not {"tokens", "cut", "unknown tokens"} & set(found["drifted"])


def test_each_file_has_its_scores_and_a_new_temperature_moves_none(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    for part in ("postprocessing.json", "manifest.json"):
        path = folder / part
        path.write_text(path.read_text("utf-8").replace("1.5", "3.0"), "utf-8")
    reseal(folder)
    for precision in ("fp32", "int8"):
        found = load_bundle(folder, precision, 1, verify=False).drift(some_records(120))
        assert found["passed"] and all(row["psi"] < 0.01 for row in found["quantities"])


def test_empty_keys_are_none_as_null_ones_are(tmp_path):
    """A third of the rows lost their key: they are no single product, whose rows would count as few."""
    folder = copy_of(shared_bundle(), tmp_path)
    path = folder / "drift.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "keys": ["product.id"]}), "utf-8")
    rows = some_records(90, seed=3)
    lost = {
        value: [{**row, "product.id": value if i % 3 == 0 else i} for i, row in enumerate(rows)] for value in ("", None)
    }
    bundle = load_bundle(folder, threads=1, verify=False)
    assert bundle.drift(lost[""]) == bundle.drift(lost[None])


def test_several_labels_each_have_a_share(tmp_path):
    bundle = load_bundle(make_bundle(tmp_path, MULTI), threads=1)
    names = [row["name"] for row in bundle.drift(some_records(120))["quantities"]]
    assert names[:6] == [*(f"label {label}" for label in LABELS), *(f"score {label}" for label in LABELS)]


def test_the_reference_holds_no_text_and_is_small():
    text = (shared_bundle() / "drift.json").read_text(encoding="utf-8")
    assert len(text) < 20_000 and "дрель" not in text and "bosch" not in text


def test_the_command_line_tells_by_table_json_and_exit_code(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    alike = write(tmp_path / "alike.jsonl", some_records(100, seed=3))
    done = on_the_command_line(folder, "--drift", alike)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == [
        *("quantity", "valid", "(120)", "here", "(100)", "PSI", "by", "chance")
    ]
    assert "score about_pr (positive)" in done.stdout and done.stdout.splitlines()[-1].startswith("drifted: nothing")
    empty = write(tmp_path / "empty.jsonl", [{**row, "page.title": ""} for row in some_records(100, seed=3)])
    done = on_the_command_line(folder, "--drift", empty, "--json")
    assert done.returncode == 3 and "empty page.title" in json.loads(done.stdout)["drifted"]
    assert on_the_command_line(folder, "--drift", empty, "--limit", "99").returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no records"),
        ('{}\n\n{"a"\n', "line 3: not JSON"),
        ("{}\n[1]\n", "line 2: a JSON object is needed, got list"),
        ('{"page.title": "\\ud800"}\n', "line 1: its text is not valid Unicode"),
        ('\n{"page.title": {"a": 1}}\n', "line 2: column 'page.title' needs text"),
    ],
)
def test_a_bad_file_is_named_by_its_line(bundle, tmp_path, text, said):
    (tmp_path / "in.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"in\.jsonl.*{said}"):
        drift_of(bundle, tmp_path / "in.jsonl")


def test_a_bad_file_is_no_traceback(tmp_path):
    done = on_the_command_line(shared_bundle(), "--drift", str(tmp_path / "none.jsonl"))
    assert done.returncode == 2 and "none.jsonl" in done.stderr and "Traceback" not in done.stderr


def test_a_bundle_without_a_reference_says_so_and_a_broken_one_is_damage(tmp_path):
    folder = make_bundle(tmp_path / "without", reference=None)
    assert not (folder / "drift.json").exists()
    with pytest.raises(ValueError, match=r"drift\.json: there is none"):
        load_bundle(folder, threads=1).drift([{}])
    broken = copy_of(shared_bundle(), tmp_path)
    (broken / "drift.json").write_text('{"rows": 3}', encoding="utf-8")
    with pytest.raises(BundleError, match=r"drift\.json"):
        load_bundle(broken, threads=1, verify=False).drift([{}])


def test_an_open_bundle_compares_with_what_it_was_checked_with(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    opened = load_bundle(folder, threads=1)
    before = opened.drift(some_records(60))
    (folder / "drift.json").write_text("{}", encoding="utf-8")
    assert opened.drift(some_records(60)) == before


def test_the_toolkit_tells_the_same_with_its_own_errors(tmp_path):
    checked = verified(shared_bundle(), None, 1)
    alike = drifted(checked, shared_bundle(), Path(write(tmp_path / "a.jsonl", some_records(60, seed=3))), None, 1)
    assert alike.failed is None and alike.content["passed"] and alike.content["drift"]["rows"] == 60
    empty = Path(write(tmp_path / "e.jsonl", [{**row, "page.title": ""} for row in some_records(60, seed=3)]))
    moved = drifted(checked, shared_bundle(), empty, None, 1)
    assert moved.failed is not None and "empty page.title" in str(moved.failed) and moved.failed.exit_code == 3
    assert drifted(checked, shared_bundle(), empty, 99.0, 1).failed is None
    for limit in (math.nan, -1.0, math.inf):  # above none of which anything could be, or everything
        with pytest.raises(UserError, match=r"from 0 on is needed[\s\S]*--limit"):
            drifted(checked, shared_bundle(), empty, limit, 1)
        with pytest.raises(ValueError, match="a number from 0 on is needed"):
            load_bundle(shared_bundle(), threads=1, verify=False).drift([{}], limit)
    (tmp_path / "bad.jsonl").write_text('{"page.title": "x"}\n[]\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"bad\.jsonl, line 2"):
        drifted(checked, shared_bundle(), tmp_path / "bad.jsonl", None, 1)
    table = tmp_path / "alike.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, VIEW.fields)
        writer.writeheader()
        writer.writerows(some_records(60, seed=3))
    assert drifted(checked, shared_bundle(), table, None, 1).content["drift"] == alike.content["drift"]
