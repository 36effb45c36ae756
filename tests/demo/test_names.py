from collections import Counter
from itertools import cycle, islice
from random import Random

from distill.demo.names import Name, brands, part_of, sold
from distill.demo.products import shelves
from distill.demo.wording import SLICES, wording

PARTS = ("train", "valid", "test", "pool", "pretraining")
SERIES = wording().names.series
GOODS = {name: wording().slices[name].goods for name in SLICES}


def test_brands_and_series_are_words_of_their_own():
    assert len(brands()) == len(set(brands())) == 150
    assert len(SERIES) == len(set(SERIES)) == 80
    assert all(brand.isalpha() and brand.istitle() for brand in brands())


def test_every_pair_of_brand_and_series_belongs_to_one_part():
    counts = Counter(part_of(brand, series) for brand in brands() for series in SERIES)
    assert set(counts) == set(PARTS)
    assert all(abs(counts[part] / 12_000 - share / 16) < 0.02 for part, share in (("train", 2), ("pretraining", 6)))
    found = [(brand, series) for part in PARTS for brand, own in sold(part).items() for series in own]
    assert len(found) == len(set(found)) > 11_000


def test_most_brands_are_sold_in_every_part():
    assert all(len(sold(part)) > 130 for part in PARTS)


def test_a_name_has_a_slug_and_a_short_form():
    name = Name("Borvik", "Nova", "250 mg")
    assert (name.full, name.short, name.slug) == ("Borvik Nova 250 mg", "Nova 250 mg", "borvik-nova-250-mg")


def test_a_shelf_holds_a_family_and_other_brands():
    for shelf in islice(shelves(cycle(GOODS["old_pool"]), "test", Random(1)), 50):
        brands = Counter(product.name.brand for product in shelf)
        series = Counter((product.name.brand, product.name.series) for product in shelf)
        assert len({product.name for product in shelf}) == 6
        assert sorted(brands.values()) == [1, 1, 4] and max(series.values()) == 3


def test_shelves_share_no_name_and_medicines_do_not_run_out():
    names = [
        product.name for shelf in islice(shelves(cycle(GOODS["pharma"]), "train", Random(1)), 1500) for product in shelf
    ]
    assert len(set(names)) == len(names) == 9000


def test_strengths_of_a_medicine_share_their_substance():
    shelf = next(shelves(iter(GOODS["pharma"]), "train", Random(1)))
    substances = {(product.name.brand, product.name.series): set() for product in shelf}
    for product in shelf:
        substances[product.name.brand, product.name.series].add(product.substance)
    assert all(len(found) == 1 and all(found) for found in substances.values())
    assert not next(shelves(iter(GOODS["diy"]), "train", Random(1)))[0].substance


def test_there_are_twelve_kinds_of_goods_in_each_slice():
    types = {segment: len({goods.type for goods in found}) for segment, found in GOODS.items()}
    assert types == dict.fromkeys(SLICES, 12)
    assert all(len(goods.features) >= 3 and goods.accessories for found in GOODS.values() for goods in found)
    assert all(goods.segment == segment for segment, found in GOODS.items() for goods in found)
