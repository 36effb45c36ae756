"""The kinds of stored results: what each shows in short, in full, and which figures a sentence about it can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.ablation_table import markdown_ablation, markdown_changes
from benchmarks.batch_tables import BATCH, markdown_batch, markdown_batch_alone
from benchmarks.cascade_tables import CASCADE, markdown_cascade, markdown_stages
from benchmarks.family_tables import markdown_families, markdown_families_alone, markdown_refused
from benchmarks.figures import ABLATION, AVERAGES, FAMILIES, QUALITY, RECIPES, RUN, Figure
from benchmarks.graph_tables import GRAPHS, markdown_graphs, markdown_shipped
from benchmarks.latency_budget_tables import BUDGETS, markdown_budgets, markdown_budgets_alone
from benchmarks.pool_tables import (
    AUDIT,
    LABELLING,
    STORE,
    markdown_audit,
    markdown_audit_alone,
    markdown_labelling,
    markdown_labelling_alone,
    markdown_store,
    markdown_store_alone,
)
from benchmarks.quality_table import markdown_quality, markdown_sets, markdown_short
from benchmarks.run_table import markdown_models
from benchmarks.shape_tables import SHAPES, markdown_shapes, markdown_shapes_alone
from benchmarks.speed_tables import SPEED, markdown_speed, markdown_speed_alone
from benchmarks.study_tables import (
    markdown_averages,
    markdown_best_averages,
    markdown_recipes,
    markdown_recipes_alone,
)
from distill.core.files import Json
from distill.report.tables import markdown_results, markdown_table

Table = Callable[[Json], str]


class Kind(NamedTuple):
    """How results of one kind are shown.

    Args: short: the main table, of the given models where they are models. full: a page, from its title on.
        readme: the table of a README block. figures: by the name that a sentence uses. chapter: whether it is
        told among the others; else the words about it are on its own page, which the page of its subject leads to.
    """

    short: Callable[[Json, Sequence[str]], str]
    full: Table
    readme: Table
    figures: Mapping[str, Figure]
    chapter: bool = True


def kind_of(result: Mapping[str, Any]) -> Kind:
    """The kind that a result names; one without a kind is the report of a run."""
    return KINDS[result.get("kind", "run")]


def _study(full: Table, alone: Table, figures: Mapping[str, Figure], chapter: bool = True) -> Kind:
    """What has one table, wherever it is shown."""
    return Kind(lambda result, _: alone(result), full, alone, figures, chapter)


_RUN = Kind(markdown_models, lambda result: markdown_results(result, result["title"]), markdown_table, RUN)
KINDS = {
    "run": _RUN,
    "systems": _RUN._replace(chapter=False),
    "quality": Kind(lambda result, _: markdown_sets(result), markdown_quality, markdown_short, QUALITY),
    "ablation": _study(markdown_ablation, markdown_changes, ABLATION),
    "averaging_study": _study(markdown_averages, markdown_best_averages, AVERAGES),
    "families": Kind(lambda result, _: markdown_refused(result), markdown_families, markdown_families_alone, FAMILIES),
    "cascade": _study(markdown_cascade, markdown_stages, CASCADE, chapter=False),
    "graphs": _study(markdown_graphs, markdown_shipped, GRAPHS, chapter=False),
    "training_defaults": _study(markdown_recipes, markdown_recipes_alone, RECIPES),
    "training_speed": _study(markdown_speed, markdown_speed_alone, SPEED, chapter=False),
    "latency_budgets": _study(markdown_budgets, markdown_budgets_alone, BUDGETS, chapter=False),
    "shapes": _study(markdown_shapes, markdown_shapes_alone, SHAPES, chapter=False),
    "audit": _study(markdown_audit, markdown_audit_alone, AUDIT, chapter=False),
    "label_store": _study(markdown_store, markdown_store_alone, STORE, chapter=False),
    "labelling_speed": _study(markdown_labelling, markdown_labelling_alone, LABELLING, chapter=False),
    "batch": _study(markdown_batch, markdown_batch_alone, BATCH, chapter=False),
}
