"""What is said about a stored result: what was asked, run and found, in `benchmarks/results/summaries.yaml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from distill.core.config import Config, load_yaml, parse

FILE = "summaries.yaml"


class Summary(Config):
    """The words of one experiment. Measured figures are named, `{f1_macro: 8L_trunc@card}`, and filled in later."""

    title: str = Field(description="the heading of its chapter")
    asked: str = Field(description="the question, in one line")
    answer: str = Field(description="the answer in one line, with the main figure and its interval")
    ran: str = Field(description="what was run, one sentence")
    found: str = Field(description="what came out, one sentence")
    follows: str = Field(description="what follows from it, one sentence")
    models: tuple[str, ...] = Field((), description="the rows of the main table of a run; by default all")
    earlier: str = Field("", description="how today's settings or definitions differ from those of the result")


def read_summaries(results: Path) -> dict[str, Summary]:
    """The summaries by the name of their result, in the order of the page; none where there is no file.

    Raises: UserError listing every problem of the file.
    """
    path = results / FILE
    if not path.is_file():
        return {}
    return {name: parse(Summary, words, str(path), name) for name, words in load_yaml(path).items()}
