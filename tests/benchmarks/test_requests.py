import pytest

from benchmarks.requests import choose, choose_positions, groups


def test_the_choice_depends_on_the_seed_only():
    assert choose(1000, 50, seed=1) == choose(1000, 50, seed=1)
    assert choose(1000, 50, seed=1) != choose(1000, 50, seed=2)
    assert len(set(choose(1000, 50, seed=1))) == 50


def test_few_records_start_again_in_the_same_order():
    drawn = choose(3, 8, seed=1)
    assert sorted(drawn[:3]) == [0, 1, 2]
    assert drawn == (drawn[:3] * 3)[:8]


def test_every_view_gets_the_same_records_in_the_same_order():
    rows = {view: [{"id": number, "view": view} for number in range(40)] for view in ("document", "card")}
    assert choose_positions(rows, 10, seed=3) == choose(40, 10, seed=3)


@pytest.mark.parametrize("rows", [{"document": [{}], "card": [{}, {}]}, {"card": []}, {}])
def test_views_of_different_records_or_none_are_refused(rows):
    with pytest.raises(ValueError):
        choose_positions(rows, 2, seed=1)


def test_groups_are_full():
    rows = [{"id": number} for number in range(7)]
    assert [[row["id"] for row in group] for group in groups(rows, 3)] == [[0, 1, 2], [3, 4, 5]]
    assert [len(group) for group in groups(rows, 1)] == [1] * 7
    assert [[row["id"] for row in group] for group in groups(rows, 10)] == [[0, 1, 2, 3, 4, 5, 6, 0, 1, 2]]
