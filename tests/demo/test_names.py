from collections import Counter
from itertools import cycle, islice
from random import Random

from distill.demo.goods import KINDS
from distill.demo.names import BRANDS, SERIES, SOLD, Name, part_of
from distill.demo.products import shelves


def test_brands_and_series_are_words_of_their_own():
    assert len(BRANDS) == len(set(BRANDS)) == 150
    assert len(SERIES) == len(set(SERIES)) == 80
    assert all(brand.isalpha() and brand.istitle() for brand in BRANDS)


def test_every_pair_of_brand_and_series_belongs_to_one_part():
    counts = Counter(part_of(brand, series) for brand in BRANDS for series in SERIES)
    assert set(counts) == {"train", "valid", "test", "pool", "pretraining"}
    assert all(abs(counts[part] / 12_000 - share / 16) < 0.02 for part, share in (("train", 2), ("pretraining", 6)))
    sold = [(brand, series) for part in SOLD.values() for brand, found in part.items() for series in found]
    assert len(sold) == len(set(sold)) > 11_000


def test_most_brands_are_sold_in_every_part():
    assert all(len(brands) > 130 for brands in SOLD.values())


def test_a_name_has_a_slug_and_a_short_form():
    name = Name("Borvik", "Nova", "250 mg")
    assert (name.full, name.short, name.slug) == ("Borvik Nova 250 mg", "Nova 250 mg", "borvik-nova-250-mg")


def test_a_shelf_holds_a_family_and_other_brands():
    for shelf in islice(shelves(cycle(KINDS["old_pool"]), "test", Random(1)), 50):
        brands = Counter(product.name.brand for product in shelf)
        series = Counter((product.name.brand, product.name.series) for product in shelf)
        assert len({product.name for product in shelf}) == 6
        assert sorted(brands.values()) == [1, 1, 4] and max(series.values()) == 3


def test_no_name_stands_on_two_shelves_and_medicines_do_not_run_out():
    names = [
        product.name for shelf in islice(shelves(cycle(KINDS["pharma"]), "train", Random(1)), 1500) for product in shelf
    ]
    assert len(set(names)) == len(names) == 9000


def test_strengths_of_a_medicine_share_their_substance():
    shelf = next(shelves(iter(KINDS["pharma"]), "train", Random(1)))
    substances = {(product.name.brand, product.name.series): set() for product in shelf}
    for product in shelf:
        substances[product.name.brand, product.name.series].add(product.substance)
    assert all(len(found) == 1 and all(found) for found in substances.values())
    assert not next(shelves(iter(KINDS["diy"]), "train", Random(1)))[0].substance


def test_there_are_twelve_kinds_of_goods_in_each_slice():
    assert {segment: len({kind.name for kind in kinds}) for segment, kinds in KINDS.items()} == dict.fromkeys(KINDS, 12)
    assert all(len(kind.features) >= 3 and kind.accessories for kinds in KINDS.values() for kind in kinds)
