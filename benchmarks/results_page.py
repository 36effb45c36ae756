"""Pages of the stored results: a short chapter on each in `docs/results.md`, all tables in `docs/results/NAME.md`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.budget import as_markdown
from benchmarks.figures import fill
from benchmarks.result_kinds import kind_of
from benchmarks.summaries import FILE, Summary, read_summaries
from distill.core.errors import unknown_name
from distill.core.files import Json, read_json
from distill.report.verdict import headline

PAGE, FOLDER = "results.md", "results"
HEADER = (
    "<!-- Generated from `benchmarks/results/` by `python -m benchmarks.publish`; edits here are lost. "
    f"The words are in `benchmarks/results/{FILE}`. -->"
)
_INTRODUCTION = (
    "Every figure comes from a file in `benchmarks/results/`, which a command of this repository wrote. Macro F1 and "
    "retention are in percent, differences in points, on all test rows and at the most probable class, with 95% "
    "intervals from a bootstrap over the first key, or over the keys that its page names ([how sure a figure "
    "is](certainty.md)). Retention: (model − majority) / (card teacher − majority) in macro F1. Speed-up: the fastest "
    "exported file of a model against the document teacher in PyTorch, batch 1, tokenisation included, equal threads. "
    "`-gold` is the same student on gold labels alone. Each chapter links to a page with its command, environment and "
    "further tables."
)


class Chapter(NamedTuple):
    """One stored result with what is said about it, its figures filled in."""

    name: str
    result: Json
    summary: Summary


def pages(results: Path) -> dict[str, str]:
    """Every page by its path below `docs`. Raises: UserError for a summary without a result or with a wrong figure."""
    chapters = _chapters(results)
    details = {f"{FOLDER}/{chapter.name}.md": _details(chapter) for chapter in chapters}
    return {PAGE: _overview(chapters), **details}


def anchor(title: str) -> str:
    """The link target that Markdown readers give a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def made_by(result: Mapping[str, Any]) -> str:
    """The line with a result's command."""
    return f"Made by `{result['command']}`."


def _chapters(results: Path) -> list[Chapter]:
    """Stored results in the order of their summaries, then those without one by name."""
    stored = {path.stem: read_json(path) for path in sorted(results.glob("*.json"))}
    words = read_summaries(results)
    if unknown := [name for name in words if name not in stored]:
        raise unknown_name("result", unknown[0], stored, str(results / FILE))
    said = {name: _filled(words[name], stored[name], f"{results / FILE}: {name}") for name in words}
    plain = {name: _unsaid(result) for name, result in stored.items() if name not in said}
    return [Chapter(name, stored[name], summary) for name, summary in {**said, **plain}.items()]


def _filled(summary: Summary, result: Json, where: str) -> Summary:
    known = [model["name"] for model in result.get("models", [])]
    if unknown := [name for name in summary.models if name not in known]:
        raise unknown_name("model", unknown[0], known, where)
    figures = kind_of(result).figures
    words = {name: text for name, text in summary.as_json().items() if isinstance(text, str)}
    return summary.model_copy(update={name: fill(text, result, figures, where) for name, text in words.items()})


def _unsaid(result: Json) -> Summary:
    """What can be said of a result without words of its own: its title, and the first sentence of a run's report."""
    first = headline(result) if "models" in result else ""
    return Summary(title=result["title"], asked="–", answer=first or "–", ran="", found=first, follows="")


def _overview(chapters: list[Chapter]) -> str:
    rows = [["Experiment", "Asked", "Answer"], ["---", "---", "---"]]
    told = [chapter for chapter in chapters if kind_of(chapter.result).chapter]
    for _, _, said in told:
        rows.append([f"[{said.title}](#{anchor(said.title)})", _cell(said.asked), _cell(said.answer)])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return "\n\n".join([HEADER, "# Results", _INTRODUCTION, table, *map(_short, told)]) + "\n"


def _short(chapter: Chapter) -> str:
    name, result, said = chapter
    sentences = _sentences(said)
    more = f"[Command and all tables]({FOLDER}/{name}.md)"
    parts = [f"## {said.title}", sentences, _earlier(said), kind_of(result).short(result, said.models), more]
    return "\n\n".join(part for part in parts if part)


def _details(chapter: Chapter) -> str:
    name, result, said = chapter
    heading, _, tables = kind_of(result).full({**result, "title": said.title}).partition("\n\n")
    told = kind_of(result).chapter
    short = f"[In short](../{PAGE}#{anchor(said.title)})." if told else f"{said.asked} {_sentences(said)}\n\n"
    back = f"{short}{' ' if told else ''}Stored in `benchmarks/results/{name}.json`. {made_by(result)}"
    budget = as_markdown(result["budget"]) if "budget" in result else ""
    parts = [HEADER, heading.strip(), back, _earlier(said), tables.strip(), budget]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sentences(said: Summary) -> str:
    return " ".join(text for text in (said.ran, said.found, said.follows) if text)


def _earlier(said: Summary) -> str:
    return f"*{said.earlier}*" if said.earlier else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
