"""Typed configs: strict YAML, overrides, and one message that lists every problem with its dotted key."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from distill.core.errors import UserError, hint
from distill.core.names import shown
from distill.core.paths import require_file


class Config(BaseModel):
    """Base of all configs: frozen, unknown keys refused. Building one touches no disk, network or environment."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return self.model_dump(mode="json")

    def as_fingerprint(self, *leave_out: str) -> dict[str, Any]:
        """The fields that differ from their defaults, as JSON values, without those named.

        Fingerprints are made of these, so that an option which is new and left at its default redoes nothing.
        """
        return self.model_dump(mode="json", exclude_defaults=True, exclude=set(leave_out))


_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_MOST_VALUES = 100_000
_DEEPEST = 100
_OR_CLASS = re.compile(r" or instance of \w+")  # a class of ours says nothing to who writes a config
# What pydantic says of a value that has another form than a branch of a union: one line for each branch.
_SHOULD_BE = "Input should be "
_Placed = tuple[list[int | str], ErrorDetails]
_OF_A_FORM = {"literal_error", "dict_type", "list_type", "model_type", "none_required", "string_type", "bool_type"}
ConfigT = TypeVar("ConfigT", bound=Config)


def parse(model: type[ConfigT], values: Mapping[str, Any], where: str, at: str = "") -> ConfigT:
    """`values` as a `model`. `where` names the file in messages, `at` is the dotted key of `values` inside it.

    Raises: UserError listing every problem at once, each with its dotted key, the value, and the nearest known name.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise config_error(problems(error, model, at), where) from None


def config_error(found: Iterable[str], where: str) -> UserError:
    """The one UserError for a list of config problems."""
    listed = sorted(set(found))
    count = "1 problem" if len(listed) == 1 else f"{len(listed)} problems"
    return UserError(f"{count} in the config\n" + "\n".join(f"  - {line}" for line in listed), where=where)


def problems(error: ValidationError, model: type[BaseModel], at: str = "") -> list[str]:
    """One line per problem of a pydantic error: `loss.temprature: unknown, did you mean 'temperature'?`."""
    lines = []
    found = [(_path(item), item) for item in error.errors(include_url=False)]
    for path, item in _of_one_branch(found):
        key = ".".join([*([at] if at else []), *(shown(str(part)) for part in path)])
        message = _OR_CLASS.sub("", item["msg"].removeprefix("Value error, "))
        if item["type"] == "extra_forbidden":
            lines.append(f"{key}: unknown, {hint(str(path[-1]), _fields_at(model, path[:-1]))}")
        elif item["type"] == "missing":
            lines.append(f"{key}: missing")
        elif item["type"] == "value_error" and isinstance(item["input"], Mapping):
            # From a validator of the whole mapping, each line of whose message names the field itself.
            lines += [".".join(filter(None, [key, line])) for line in message.split("\n")]
        else:
            lines.append(f"{key or 'config'}: {message}" + (f" (found {item['input']!r})" if path else ""))
    return lines


def _path(item: ErrorDetails) -> list[int | str]:
    """Where a problem is, without the branch of a union that pydantic names too, in brackets."""
    whole = item["loc"][-1:] if item["type"] == "extra_forbidden" else ()  # an unknown key may hold brackets of its own
    return [*_unbranched(item["loc"][: len(item["loc"]) - len(whole)]), *whole]


def _of_one_branch(found: Sequence[_Placed]) -> Iterator[_Placed]:
    """One problem for each value that is none of several forms: those inside its form, or all forms in one line."""
    for path, item in found:
        if item["type"] not in _OF_A_FORM:
            yield path, item
            continue
        inside = any(other[: len(path)] == path and len(other) > len(path) for other, _ in found)
        alike = [own for other, own in found if other == path and own["type"] in _OF_A_FORM]
        if not inside and alike[0] is item:
            forms = dict.fromkeys(one["msg"].removeprefix(_SHOULD_BE) for one in alike)
            yield path, {**item, "msg": _SHOULD_BE + " or ".join(forms)}


def _unbranched(parts: Iterable[int | str]) -> list[int | str]:
    return [part for part in parts if not (isinstance(part, str) and "[" in part)]


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; `2e-5` is a number and a key given twice is an error.

    Raises: UserError for a missing file, broken YAML, a repeated key, or anything but a mapping.
    """
    require_file(path, "config file not found", "check the path given to --config")
    try:
        text = path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise UserError("cannot read the config", where=str(path), found=error, do="save it as UTF-8 text") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """The mapping in YAML `text`; see `load_yaml`."""
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        if node is not None:
            _unfolded(node, {})
        value = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, TypeError, AttributeError, KeyError) as error:
        # Besides its own errors PyYAML lets those of Python's constructors through: `!!int x`, nesting of thousands.
        raise UserError("not valid YAML", where=where, found=" ".join(str(error).split())) from None
    if not isinstance(value, dict):
        raise UserError("a mapping is needed at the top level", where=where, found=type(value).__name__)
    return value


def _unfolded(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Values in a node with each alias written out.

    Args: sizes: of the nodes seen, 0 for those around this one.
    Raises: YAMLError for an alias inside its own value, for over 100,000 values, and for a text that UTF-8 or a file
        name cannot hold: half of a surrogate pair, or a NUL.
    """
    if (known := sizes.get(id(node))) is not None:
        if not known:
            raise yaml.YAMLError(f"an alias inside its own value, line {node.start_mark.line + 1}")
        return known
    sizes[id(node)] = 0
    parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    total = 1
    if isinstance(node, yaml.ScalarNode):
        if _NO_TEXT.search(node.value):
            raise yaml.YAMLError(f"half of a surrogate pair or a NUL, line {node.start_mark.line + 1}")
    else:
        total += sum(_unfolded(part, sizes) for part in parts)
    if total > _MOST_VALUES:
        raise yaml.YAMLError(f"more than {_MOST_VALUES:,} values, line {node.start_mark.line + 1}")
    sizes[id(node)] = total
    return total


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on top; mappings merge key by key, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def overrides(settings: Iterable[str], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The nested mapping of `--set a.b=c` options; values are read as YAML.

    Args: base: what they change. A key in it that holds dots, such as a field of a view, is found whole.
    Raises: UserError for an option without `=` or with an empty key.
    """
    result: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not all(key.strip().split(".")):
            raise UserError("--set needs key=value", found=setting, do="write for example --set teachers.base.epochs=2")
        nested: Any = parse_yaml(f"value: {value}" if value else "value: ''", f"--set {setting}")["value"]
        for part in reversed(_parts(key.strip(), merge(base or {}, result))):
            nested = {part: nested}
        result = merge(result, nested)
    return result


def setting(key: str, value: Any) -> str:
    """`key=value` as `overrides` reads it, whatever signs the value holds."""
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def _parts(key: str, known: Any) -> list[Any]:
    """A dotted key as the keys of nested mappings: those that are there, the longest first, else up to the next dot."""
    found = []
    while key:
        here = known if isinstance(known, Mapping) else {}
        fitting = [one for one in here if f"{key}.".startswith(f"{one}.")]
        part = max(fitting, key=lambda one: len(str(one)), default=key.partition(".")[0])
        found.append(part)
        known, key = here.get(part), key[len(str(part)) + 1 :]
    return found


def _fields_at(model: type[BaseModel], path: list[Any]) -> list[str]:
    """The field names of the model that `path` leads to; empty when it leads elsewhere."""
    current: Any = model
    for part in path:
        fields = getattr(current, "model_fields", None)
        current = fields[part].annotation if fields and part in fields else _inner_model(current)
        current = _inner_model(current)
        if current is None:
            return []
    return list(getattr(current, "model_fields", {}))


def _inner_model(annotation: Any) -> Any:
    """The model inside `Model`, `Model | None`, `dict[str, Model]` or `list[Model]`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    found = (_inner_model(argument) for argument in typing.get_args(annotation))
    return next((model for model in found if model is not None), None)


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the plain values of YAML 1.2's core schema and no repeated keys.

    `yes`, `on`, `1:30` and `001` are texts, as they are meant where they name a class. Nesting has an end: PyYAML takes
    hours for a hundred thousand brackets.
    """

    def fetch_flow_collection_start(self, token: Any) -> None:
        self._require_shallow(self.flow_level)
        super().fetch_flow_collection_start(token)

    def add_indent(self, column: int) -> Any:
        self._require_shallow(len(self.indents))
        return super().add_indent(column)

    def _require_shallow(self, depth: int) -> None:
        if depth >= _DEEPEST:
            raise yaml.YAMLError(f"nested more than {_DEEPEST} deep, line {self.line + 1}")

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = cast(Any, self.construct_object(key_node, deep=True))
            if not isinstance(key, Hashable):
                raise yaml.YAMLError(f"a key must be a plain value, line {key_node.start_mark.line + 1}")
            if key in seen:
                raise yaml.YAMLError(f"duplicate key '{key}', the second time in line {key_node.start_mark.line + 1}")
            seen.add(key)
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {}
# Tag, pattern, and the characters that such a value may begin with.
_CORE_SCHEMA = (
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^([-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    ("float", r"^[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$", list("-+.0123456789")),
    ("float", r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$", list("-+.")),
    ("merge", r"^<<$", ["<"]),
)
for _tag, _pattern, _first in _CORE_SCHEMA:
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)
