import numpy as np

from distill.core.project import ViewConfig
from teachers.pretraining.pairs import Pair, Pairs, read_pairs, read_views, texts_of, write_pairs


def shop(rows=400):
    """Pairs of two sources and three categories; every product has two pages, and single texts are among them."""
    pairs = [
        Pair("shop", f"kind {row % 3}", (f"дрель {row // 2}",), (f"page of {row}", "" if row % 5 else "body"))
        for row in range(rows)
    ]
    return [*pairs, *(Pair("news", "", (f"text {row}",), ()) for row in range(20))]


def partners(pairs, share=0.5, seed=1):
    return Pairs(pairs).partners(share, np.random.default_rng(seed))


def test_swaps_stay_within_source_and_category_and_change_both_sides():
    pairs = shop()
    found = partners(pairs)
    swapped = [(pairs[row], pairs[other]) for row, other in enumerate(found) if row != other]
    assert all((a.source, a.category) == (b.source, b.category) for a, b in swapped)
    assert all(a.left != b.left and a.right != b.right for a, b in swapped)
    assert 0.4 < len(swapped) / 400 < 0.55


def test_single_texts_keep_to_themselves():
    found = partners(shop(), share=1.0)
    assert (found[400:] == np.arange(400, 420)).all() and (found[:400] != np.arange(400)).mean() > 0.9


def test_a_category_of_one_product_cannot_swap():
    alone = [Pair("shop", "lamp", ("lamp",), (f"page {row}",)) for row in range(10)]
    assert (partners(alone, share=1.0) == np.arange(10)).all()


def test_partners_depend_on_the_generator_only():
    assert (partners(shop()) == partners(shop())).all()
    assert (partners(shop()) != partners(shop(), seed=2)).any()


def test_lengths_and_sides():
    pairs = Pairs([Pair("a", "", ("ab", "c"), ("defg",)), Pair("b", "", ("x",), ())])
    assert pairs.chars.tolist() == [[3, 4], [1, 0]] and pairs.paired.tolist() == [True, False]


def test_a_store_gives_back_what_it_was_given(tmp_path):
    views = {"shop": ViewConfig(left=["t"], right=["p", "b"], max_tokens=32, budgets={"b": 8})}
    assert write_pairs(tmp_path, iter(shop(4100)), views) == 4120
    assert read_pairs(tmp_path) == shop(4100) and read_views(tmp_path) == views


def test_texts_are_the_non_empty_ones():
    assert list(texts_of([Pair("a", "", ("x", ""), ("y",)), Pair("a", "", ("z",), ())])) == ["x", "y", "z"]
