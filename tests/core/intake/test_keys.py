"""Keys of many rows: a column that goes on in a file, and a table in place of a dictionary."""

import random
import tracemalloc

import numpy as np
import pytest

from distill.core.intake import key_column
from distill.core.intake.key_column import KeyColumn
from distill.core.intake.key_table import KeyTable
from distill.core.intake.leak_check import among


@pytest.mark.parametrize("count", [0, 3, 8, 50])
def test_a_column_gives_its_keys_back_in_pieces_and_takes_more(monkeypatch, count):
    monkeypatch.setattr(key_column, "_BUFFER", 4)
    monkeypatch.setattr(key_column, "_PIECE", 8)
    keys = [random.Random(count).getrandbits(64) for _ in range(count)]
    column = KeyColumn(keys)
    assert column.whole().tolist() == keys and len(column) == count
    assert all(len(piece) <= 8 for piece in column.pieces())
    column.append(2**64 - 1)
    assert column.whole().tolist() == [*keys, 2**64 - 1]


def test_keys_are_found_in_every_piece_of_long_columns(monkeypatch):
    monkeypatch.setattr(key_column, "_BUFFER", 4)
    monkeypatch.setattr(key_column, "_PIECE", 8)
    chance = random.Random(1)
    own, one, other = ([chance.randrange(40) for _ in range(size)] for size in (30, 21, 17))
    expected = [key != 0 and key in {*one, *other} for key in own]
    assert among(KeyColumn(own), KeyColumn(one), KeyColumn(other)).tolist() == expected
    assert among(KeyColumn(), KeyColumn(one)).tolist() == [] and not among(KeyColumn(own), KeyColumn()).any()


def test_a_table_does_what_a_dictionary_does():
    chance = random.Random(2)
    # Few places at first, so that keys meet; the first number of a key stays.
    keys = [chance.getrandbits(64) & ~0xFF0 for _ in range(700)] * 2
    table, known = KeyTable(), {}
    for number, key in enumerate(keys):
        assert table.get(key) == known.get(key)
        table.add(key, number % 65_536)
        known.setdefault(key, number % 65_536)
    assert len(table) == len(known) and all(table.get(key) == value for key, value in known.items())
    assert KeyTable().get(0) is None


def test_a_table_takes_at_most_28_bytes_a_key():
    tracemalloc.start()
    table = KeyTable()
    for key in np.random.default_rng(1).integers(1, 2**63, 50_000).tolist():
        table.add(key)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 28 * 50_000
