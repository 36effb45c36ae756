"""Addresses of hosts and paths that nothing is to be learnt from."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from distill.core.intake.junk_rules.rule import Hits, JunkRule, Texts


class Url(JunkRule):
    """Fits where a field's URL has one of the hosts, or a path of one of the patterns.

    Case does not count. A field may hold a path alone (`/search/drills`). A text that is no URL is not judged.
    """

    name: ClassVar[str] = "url"

    hosts: list[Annotated[str, Field(pattern=r"^[^/\s:]+$")]] = Field(
        default_factory=list, description="hosts, each with all below it: example.com is shop.example.com too"
    )
    paths: list[Annotated[str, Field(pattern=r"^[/*]")]] = Field(
        default_factory=list, description="patterns of whole paths: * is any text, / alone is the start page"
    )

    @model_validator(mode="after")
    def _says_what_it_reads(self) -> Url:
        if self.fields is None:
            raise ValueError("fields: missing; name the fields that hold addresses")
        if not self.hosts and not self.paths:
            raise ValueError("hosts: with no host and no path the rule fits no row")
        return self

    def judge(self, counted: Any) -> Hits:
        """Whether a host or a path is one of those named."""
        hosts = tuple(host.lower().removeprefix("*.").strip(".") for host in self.hosts)
        paths = [path.lower() for path in self.paths]

        def hits(texts: Texts) -> bool:
            return any(
                host in hosts or host.endswith(tuple(f".{one}" for one in hosts)) or _matches(path, paths)
                for host, path in _addresses(texts)
            )

        return hits


def _addresses(texts: Texts) -> Iterator[tuple[str, str]]:
    """Host and path of each text that is a URL or a path."""
    for text in texts:
        if not text or " " in text:
            continue
        whole = text if "://" in text or text.startswith("/") else f"//{text}"
        try:
            parts = urlsplit(whole.lower())
            yield parts.hostname or "", parts.path or "/"
        except ValueError:  # brackets that are no IPv6 address
            continue


def _matches(path: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
