"""The tables of where models start and of trimmed vocabularies."""

from distill.core.files import write_json
from distill.core.manifest import write_manifest
from distill.report.starts import start_entries, start_sentence, start_sheet, vocabulary_sheet

SPREAD = {"model": "8L@card", "source": "teachers/base", "layers": [0, 2, 3, 5], "of": 6, "keep": "spread"}
TRIMMED = {
    "start": "base",
    "view": "card",
    "rows_before": 250_037,
    "rows": 15_648,
    "seen": 1_869,
    "parameters_before": 117_505_920,
    "parameters": 27_500_544,
    "bytes_before": 470_045_872,
    "bytes": 110_024_024,
    "test": {"tokens": 8461, "changed": 458, "rows": 1000, "changed_rows": 261},
}


def cells(sheet):
    return [[column.cell(row) for column in sheet.columns] for row in sheet.rows]


def test_layers_are_listed_with_how_they_were_chosen():
    assert start_sentence(SPREAD) == "0 2 3 5 of 6, evenly spread"
    assert start_sentence({**SPREAD, "keep": "probe"}) == "0 2 3 5 of 6, by probe"
    assert start_sentence({**SPREAD, "keep": [0, 2, 3, 5]}) == "0 2 3 5 of 6, as listed"
    assert start_sentence({**SPREAD, "of": 4}) == start_sentence({"source": "checkpoints/own"}) == "all layers"


def test_every_model_that_says_where_it_started_is_in_the_table(tmp_path):
    folders = {name: tmp_path / name for name in ("8L@card", "words@card")}
    for folder in folders.values():
        folder.mkdir()
    write_json(folders["8L@card"] / "start.json", {key: value for key, value in SPREAD.items() if key != "model"})
    for folder in folders.values():
        write_manifest(folder, {})
    found = start_entries({**folders, "not made": tmp_path / "gone"})
    assert found == [SPREAD]
    assert cells(start_sheet({"starts": found})) == [["8L@card", "teachers/base", "0 2 3 5 of 6, evenly spread"]]


def test_what_trimming_saves_and_changes():
    (row,) = cells(vocabulary_sheet({"vocabularies": [TRIMMED]}))
    assert row[:2] == ["base", "card"] and row[-3:] == ["360.0", "5.41", "26.10"]
    assert [cell.replace("\u202f", " ") for cell in row[2:5]] == ["250 037", "15 648", "1 869"]
    assert not vocabulary_sheet({}).rows
