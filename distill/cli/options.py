"""The options that describe a run: declared once, taken by every verb that works on one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

from distill.core.flags import Flag
from distill.demo.projects import PROJECTS

if TYPE_CHECKING:
    from distill.pipeline.settings import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document last.")]


@dataclass(frozen=True)
class Options:
    """What the command line says of a run."""

    teacher: Annotated[list[str] | None, Flag("Name, preset or finished folder, alone or as NAME:WEIGHT; repeats.")] = (
        None
    )
    student: Annotated[list[str] | None, Flag("Name or preset; repeats.")] = None
    config: Annotated[Path | None, Flag(f"Project file, or {', '.join(PROJECTS)}; without it, demo.")] = None
    checkpoint: Annotated[str | None, Flag("Encoder the teacher starts from: folder or hub id.")] = None
    out: Annotated[Path | None, Flag("Run folder; by default runs/<name of the config>.")] = None
    exporter: Annotated[str | None, Flag("What traces models for export: transformers, or optimum.")] = None
    exporter_python: Annotated[str | None, Flag("The Python of optimum's own environment.")] = None
    provider: Annotated[str | None, Flag("What runs exported files: auto, the default, cpu, cuda or tensorrt.")] = None
    engine: Annotated[str | None, Flag("Who labels: local, the default, or ray.")] = None
    backend: Annotated[str | None, Flag("What labels: torch, the default, onnx or openvino.")] = None
    set_: Annotated[list[str] | None, Flag("Any field of the config: a.b=c or a={b: c}; repeats.")] = None

    def settings(self, labels: Path | None = None, sets: Sequence[str] = (), until: str = "report") -> Settings:
        """The resolved run up to a verb.

        Args: labels: logits that take the first teacher's place. sets: after those of `--set`.
        """
        from distill.cli.console import ConsoleReporter, TextConsole
        from distill.core.config import setting
        from distill.core.progress import reporting
        from distill.demo.project_file import project_file
        from distill.pipeline.backends import with_backend
        from distill.pipeline.named_models import first_named_teacher
        from distill.pipeline.settings import resolve_settings
        from export.config import with_exporter

        name = str(self.config or "demo")
        run = self.out or Path("runs") / Path(name).stem
        with reporting(ConsoleReporter(TextConsole(stderr=True))):
            project = project_file(name, run, may_be_another=self.out is not None)
        first = first_named_teacher(project, self.teacher or ())
        chosen = [setting("provider", self.provider)] if self.provider else []
        chosen += [setting("labelling.engine", self.engine)] if self.engine else []
        imported = [setting("teachers", {first: {"labels": str(labels.resolve())}})] if labels else []
        found = resolve_settings(
            project,
            run,
            teachers=self.teacher or (),
            students=self.student or (),
            checkpoint=self.checkpoint,
            sets=[*(self.set_ or []), *chosen, *imported, *sets],
            until=until,
        )
        found = replace(found, targets=with_exporter(found.targets, self.exporter, self.exporter_python))
        return with_backend(found, self.backend)

    def resolver(self) -> Callable[[Sequence[str]], Settings]:
        """What resolves the run with further `a.b=c` on top."""
        return lambda sets: self.settings(sets=sets)


def takes_options(*names: str, of: type[Any] = Options) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options with these names, all where none is named, as its first argument `options`.

    The command's own parameters come after `options` and stay as they are declared.

    Either are declared by a `Flag`, or as typer wants them.

    Args: of: the dataclass that declares them, which may be in a room below.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(of, include_extras=True)
        taken = [one for one in fields(of) if not names or one.name in names]
        shared = [
            inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
            for one in taken
        ]
        own_hints = get_type_hints(command, include_extras=True)
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=own_hints[parameter.name])
            for parameter in inspect.signature(command).parameters.values()
            if parameter.name != "options"
        ]
        required = [one for one in own if one.default is inspect.Parameter.empty]
        optional = [one for one in own if one.default is not inspect.Parameter.empty]

        def wrapped(**values: Any) -> None:
            options = of(**{one.name: values.pop(one.name) for one in taken})
            command(options, **values)

        parameters = [
            one.replace(annotation=_as_option(one.name, one.annotation)) for one in (*required, *shared, *optional)
        ]
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
        wrapped.__doc__, wrapped.__name__ = command.__doc__, command.__name__
        return wrapped

    return decorate


def _as_option(name: str, hint: Any) -> Any:
    """A type with typer's option where it is declared with a `Flag`."""
    kind, flag, *_ = *get_args(hint), None, None
    if not isinstance(flag, Flag):
        return hint
    return Annotated[kind, typer.Option(flag.name or f"--{name.strip('_').replace('_', '-')}", help=flag.help)]
