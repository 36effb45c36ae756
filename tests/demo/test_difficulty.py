"""How hard the demo's task is, at the demo's sizes: fixed here, before any model sees it."""

from collections import Counter, defaultdict
from random import Random

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from distill.demo.pairs import LABELS
from tests.demo.texts import document, on_card, position, sample

TRAIN, TEST = 1500, 3000


@pytest.fixture(scope="module")
def worlds():
    return [(sample("train", TRAIN, seed), sample("test", TEST, seed)) for seed in (1, 2, 3)]


def majority(pairs):
    return max(Counter(pair.label for pair in pairs).values()) / len(pairs)


def above_majority(train, test, text=document):
    """Points of accuracy that words without their order, on all text of the document, gain on the largest class."""
    vectors = TfidfVectorizer(ngram_range=(1, 2))
    model = LogisticRegression(max_iter=200).fit(
        vectors.fit_transform(map(text, train)), [pair.label for pair in train]
    )
    predicted = model.predict(vectors.transform(map(text, test)))
    accuracy = sum(a == pair.label for a, pair in zip(predicted, test, strict=True)) / len(test)
    return 100 * (accuracy - majority(test))


def silent(page):
    """Whether title and address of a page name none of the products that the page is about or mentions."""
    return not any(on_card(page, product.name) for product in (page.subject, *page.others))


def body_only(pairs):
    """Share of pairs on silent cards of a form and slice of which such cards come with two truths or three.

    Neither the card's names nor its form then tell the label, while the names in the body do.
    """
    forms = [(pair.product.goods.segment, pair.page.kind.name) for pair in pairs]
    hidden = [silent(pair.page) for pair in pairs]
    truths = defaultdict(set)
    for pair, form, is_hidden in zip(pairs, forms, hidden, strict=True):
        if is_hidden:
            truths[form].add(pair.truth)
    return sum(is_hidden and len(truths[form]) > 1 for form, is_hidden in zip(forms, hidden, strict=True)) / len(pairs)


def by_names(pair):
    """The label by an oracle that knows a page's form and finds names in its body: the first one is its subject."""
    places = [(position(pair.page.body, product.name), product) for product in (pair.page.subject, *pair.page.others)]
    first = min(places, key=lambda place: place[0])[1]
    if position(pair.page.body, pair.product.name) is None:
        return "not_about_pr"
    return "about_pr" if pair.page.kind.about and first is pair.product else "ment_pr"


def test_words_without_order_stand_five_to_twelve_points_above_the_largest_class(worlds):
    assert all(5 < above_majority(train, test) < 12 for train, test in worlds)


def test_a_wording_that_gives_the_class_away_leaves_the_band(worlds):
    train, test = worlds[0]
    assert (
        above_majority(
            train, test, lambda pair: f"{document(pair)} seen{pair.truth if len(pair.page.body) % 2 else ''}"
        )
        > 12
    )


def test_a_quarter_of_the_pairs_is_decided_by_the_body_alone(worlds):
    for train, test in worlds:
        assert 0.27 < body_only(train) < 0.4 and 0.27 < body_only(test) < 0.4


def test_the_names_decide_every_pair_within_the_first_70_words(worlds):
    for pair in worlds[0][1]:
        assert by_names(pair) == pair.truth, pair
        assert (position(pair.page.body, pair.product.name) or 0) < 70


def test_the_label_noise_is_a_twentieth_and_goes_to_both_other_classes(worlds):
    pairs = [pair for world in worlds for part in world for pair in part]
    wrong = Counter((pair.truth, pair.label) for pair in pairs if pair.truth != pair.label)
    assert 0.04 < sum(wrong.values()) / len(pairs) < 0.06
    assert len(wrong) == 6 and min(wrong.values()) > 0.5 * sum(wrong.values()) / 6


def test_classes_and_slices_have_their_shares(worlds):
    for _, test in worlds:
        labels, segments = Counter(pair.label for pair in test), Counter(pair.product.goods.segment for pair in test)
        share = {label: labels[label] / len(test) for label in LABELS}
        assert 0.36 < share["not_about_pr"] < 0.41
        assert 0.27 < share["ment_pr"] < 0.35 and 0.27 < share["about_pr"] < 0.35
        expected = {"old_pool": 0.4, "diy": 0.2, "electronics": 0.2, "pharma": 0.2}
        assert all(abs(segments[name] / len(test) - part) < 0.03 for name, part in expected.items())


def test_at_most_a_third_of_the_other_products_pages_are_near_misses(worlds):
    """Another code of the same series, another series of the same brand, another brand."""
    kinds = Counter()
    for pair in worlds[0][1]:
        mine, its = pair.product.name, pair.page.subject.name
        if pair.truth == "not_about_pr":
            same = "brand" if mine.brand == its.brand else "none"
            kinds["series" if same == "brand" and mine.series == its.series else same] += 1
    share = {name: count / sum(kinds.values()) for name, count in kinds.items()}
    assert 0.15 < share["series"] < 0.33 and share["brand"] > 0.1 and share["none"] > 0.33


def test_the_same_form_may_mean_another_label_in_another_slice(worlds):
    """Pages worded like an instruction: about their subject in the old pool, a mention in DIY and pharma."""
    labels = defaultdict(Counter)
    for pair in worlds[0][1]:
        if pair.product is pair.page.subject and "How to " in pair.page.title:
            labels[pair.product.goods.segment][pair.truth] += 1
    assert set(labels["old_pool"]) == {"about_pr"}
    assert set(labels["diy"]) == {"ment_pr"} and labels["pharma"]["ment_pr"]


def test_shuffled_labels_fall_below_the_band(worlds):
    train, test = worlds[0]
    shuffled = Random(1).sample(test, len(test))
    scrambled = [type(a)(a.product, a.page, a.truth, b.label) for a, b in zip(test, shuffled, strict=True)]
    assert above_majority(train, scrambled) < 5
