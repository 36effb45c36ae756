"""Kinds of pages: how each names its subject and the products beside it, and what the page is to its subject.

Words in braces are filled in by `distill.demo.words`: `{s}` names the subject, `{o}` the other products that the page
names, `{q}` one of them. Named titles name the subject, opaque ones name no product.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """A kind of page.

    Attributes:
        about: the page is about its subject; otherwise it only mentions it, as it does the other products.
        opaque: share of pages whose title and address name no product.
        titles, opaque_titles: see above. path: first part of the address.
        leads: sentences with the subject, and `others` sentences with the other products: the ones that decide.
        extras: sentences of the form that name nothing.
        narrow: such pages are mostly paired with their subject and one product more, others with two or three.
    """

    name: str
    about: bool
    opaque: float
    path: str
    titles: tuple[str, ...]
    opaque_titles: tuple[str, ...]
    leads: tuple[str, ...]
    others: tuple[str, ...]
    extras: tuple[str, ...]
    narrow: bool = False
