"""The wording of the embedded projects, from `wording/*.yaml`: goods, kinds of pages, sentences, names and junk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from distill.core.config import Config, ConfigT, parse, parse_yaml

SLICES = ("old_pool", "diy", "electronics", "pharma")

Texts = tuple[str, ...]


class Goods(Config):
    """A kind of product: the slice that sells it, what it is called, and what such products have."""

    segment: str
    type: str
    types: str
    definition: str
    features: Texts
    accessories: Texts


class PageKind(Config):
    """A kind of page: how it names its subject and the other products, and what it is to its subject.

    The keys and the slots in braces are explained at the top of `wording/pages_about.yaml`.
    """

    name: str
    about: bool
    opaque: float
    narrow: bool = False
    path: str
    titles: Texts
    opaque_titles: Texts
    naming_subject: Texts
    naming_others: Texts
    naming_nothing: Texts


class Filler(Config):
    """Sentences for pages of every slice; `echoes` name the subject once more, the others decide nothing."""

    openings: Texts
    echoes: Texts
    sentences: Texts
    cities: Texts
    months: Texts
    persons: Texts
    shops: Texts


class BrandSyllables(Config):
    """A brand is one of each, in this order."""

    onsets: Texts
    vowels: Texts
    codas: Texts
    endings: Texts


class Substances(Config):
    """A substance is a stem and an ending."""

    stems: Texts
    endings: Texts


class ProductNames(Config):
    """What names of products are made of."""

    brands: BrandSyllables
    series: Texts
    substances: Substances


class DeadPage(Config):
    """What a crawler gets instead of the page that it asked for."""

    title: str
    body: str


class Topic(Config):
    """Pages about something other than products."""

    path: str
    titles: Texts
    topics: Texts
    sentences: Texts


class Junk(Config):
    """Pages that do not belong in a pool of product pages."""

    dead: tuple[DeadPage, ...]
    spam: Texts
    off_topic: tuple[Topic, ...]
    stub_titles: Texts


class PageKinds(Config):
    """A file of kinds of pages that slices share."""

    page_kinds: dict[str, PageKind]


class SliceFile(PageKinds):
    """A slice's file; `page_shares` also names kinds of pages of other files."""

    page_kinds: dict[str, PageKind] = {}
    page_shares: dict[str, int]
    sentences: Texts
    goods: tuple[Goods, ...]


@dataclass(frozen=True)
class Slice:
    """What a slice sells, which kinds of pages come up there how often, and its own sentences that decide nothing.

    Attributes: page_shares: of each of `page_kinds`, percent of the slice's pages.
    """

    goods: tuple[Goods, ...]
    page_kinds: tuple[PageKind, ...]
    page_shares: tuple[int, ...]
    sentences: Texts


@dataclass(frozen=True)
class Wording:
    """All wording; `slices` by the names in `SLICES`."""

    slices: Mapping[str, Slice]
    filler: Filler
    names: ProductNames
    junk: Junk


@cache
def wording() -> Wording:
    """The wording, read once.

    Raises: UserError for a broken file. KeyError for a share of a kind of page that does not exist.
    """
    shared = load_wording(PageKinds, "pages_about").page_kinds | load_wording(PageKinds, "pages_mention").page_kinds
    return Wording(
        {name: _slice(name, shared) for name in SLICES},
        load_wording(Filler, "filler"),
        load_wording(ProductNames, "names"),
        load_wording(Junk, "junk"),
    )


def _slice(name: str, shared: Mapping[str, PageKind]) -> Slice:
    file = load_wording(SliceFile, f"slices/{name}", segment=name)
    known = {**shared, **file.page_kinds}
    kinds = tuple(known[kind] for kind in file.page_shares)
    return Slice(file.goods, kinds, tuple(file.page_shares.values()), file.sentences)


def load_wording(model: type[ConfigT], name: str, segment: str | None = None) -> ConfigT:
    """A file of wording; kinds of pages get their key as name, goods the slice."""
    path = files("distill.demo").joinpath("wording", *f"{name}.yaml".split("/"))
    values: dict[str, Any] = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    for key, kind in values.get("page_kinds", {}).items():
        kind["name"] = key
    for goods in values.get("goods", []):
        goods["segment"] = segment
    return parse(model, values, str(path))
