"""The grid of a sweep: rows of values, products of values, and what each of them sets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import product
from math import prod
from string import Template
from typing import Annotated, Any

from pydantic import Field, model_validator

from distill.core.config import Config, parse_yaml
from distill.core.errors import UserError

_MOST = 1000
Values = Annotated[list[Any], Field(min_length=1)]
Point = dict[str, Any]


class Grid(Config):
    """The section `sweep` of a project, or a file of its own."""

    columns: list[str] = Field(
        default_factory=list, description="what the values of a row are of: fields of the config, or names used in sets"
    )
    rows: list[Values] = Field(default_factory=list, description="the cells one by one: a value for each column")
    over: dict[str, Values] = Field(
        default_factory=dict, description="values by field or name: each combination of them, with each row"
    )
    sets: list[str] = Field(
        default_factory=list, description="what a cell sets, as for --set, with $NAME for its value of that name"
    )
    model: str | None = Field(
        None, description="the model that is fitted in each cell; null: the one whose fields vary"
    )

    @model_validator(mode="after")
    def _rows_are_whole(self) -> Grid:
        found = [
            f"rows: row {number} has {len(row)} values for {len(self.columns)} columns"
            for number, row in enumerate(self.rows, 1)
            if len(row) != len(self.columns)
        ]
        if self.columns and not self.rows:
            found.append("rows: missing; give each cell a value for each column")
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            found.append(f"over: {', '.join(twice)} named twice")
        if unknown := sorted(self._placeholders - set(self.names)):
            found.append(f"sets: ${unknown[0]} is no column and not in over")
        if broken := [one for one in self.sets if not Template(one).is_valid()]:
            found.append(f"sets: a $ that begins no name; write $$ for the sign itself: {broken[0]}")
        if (cells := max(1, len(self.rows)) * prod(map(len, self.over.values()))) > _MOST:
            found.append(f"over: {cells} cells, at most {_MOST}")
        if found:
            raise ValueError("\n".join(found))
        return self

    @property
    def names(self) -> list[str]:
        """What varies, in the order of the table."""
        return [*self.columns, *self.over]

    @property
    def points(self) -> list[Point]:
        """The value of each name in each cell; equal cells once."""
        rows = [dict(zip(self.columns, row, strict=False)) for row in self.rows] or [{}]
        ways = [dict(zip(self.over, values, strict=True)) for values in product(*self.over.values())]
        found = [{**row, **way} for row in rows for way in ways]
        return [point for place, point in enumerate(found) if point and point not in found[:place]]

    def settings(self, point: Point) -> list[str]:
        """What a cell sets, as for `--set`: the templates, and each name that is in none of them as a field."""
        values = {name: json.dumps(value, ensure_ascii=False) for name, value in point.items()}
        made = [Template(one).substitute(values) for one in self.sets]
        return [*made, *(f"{name}={text}" for name, text in values.items() if name not in self._placeholders)]

    @property
    def _placeholders(self) -> set[str]:
        return {name for one in self.sets for name in Template(one).get_identifiers()}


def parse_over(options: Iterable[str]) -> dict[str, list[Any]]:
    """The values of `--over FIELD=A,B` options, read as YAML. Raises: UserError for one without field or value."""
    found: dict[str, list[Any]] = {}
    for option in options:
        field, equals, text = option.partition("=")
        values = parse_yaml(f"values: [{text}]", f"--over {option}")["values"] if equals else []
        if not field.strip() or not values:
            do = "write for example --over teachers.base.training.learning_rate=1e-5,2e-5"
            raise UserError("--over needs a field and its values", found=option, do=do)
        if field.strip() in found:
            raise UserError("--over names a field twice", found=field.strip(), do="give all its values at once")
        found[field.strip()] = values
    return found


def shown_value(value: Any) -> str:
    """A value as a table shows it: numbers short, lists and mappings as JSON."""
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shown_point(point: Mapping[str, Any]) -> str:
    """`learning_rate 1e-05, epochs 2`: each value after the last part of its name."""
    return ", ".join(f"{name.rpartition('.')[2]} {shown_value(value)}" for name, value in point.items())
