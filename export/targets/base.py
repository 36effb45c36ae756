"""What every export target offers: facts that hold for all its files, settings, `build` and `open`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from distill.core.config import Config
from distill.core.files import Json
from distill.core.limits import Limits
from distill.inference.providers import AUTO, CPU

if TYPE_CHECKING:
    from distill.families.family import Opening
    from distill.inference.runner import Runner
    from distill.inference.scorer import Scorer

Criterion = Literal["parity", "tolerance", "decisions"]
FACTS = ("runtime", "precision", "criterion", "batch_invariant", "portable", "providers", "file", "model")


@dataclass(frozen=True)
class Source:
    """What a target is built from.

    Attributes:
        model_folder: Hugging Face folder with its view.
        base: folder of the export that the target starts from; None for a target that starts from the model folder.
        refitted: the model as the target's own training left it; None for a target without one.
        changes: what a runner changes of the model's answers to real records, read one at a time; see
            `changed_answers`.
        calibrate: lets a runner read real records of another split, at most so many, one window at a time.
        most_exact: of a target's forms take the one that leaves most in fp32, whatever any of them changes.
    """

    model_folder: Path
    base: Path | None
    changes: Callable[[Runner], Json]
    calibrate: Callable[[Runner, int], None] | None = None
    refitted: Path | None = None
    most_exact: bool = False

    def flips(self, runner: Runner) -> float:
        """The share of real records whose label a runner changes, read one at a time."""
        return float(self.changes(runner)["flips"])


class Target(Config):
    """One way to export a model: a preset's settings as fields, and class attributes for what holds of every file.

    Attributes:
        runtime: what runs the files, as the latency table names it. precision: of the weights.
        criterion: what parity judges: `parity`, every logit by one limit for all files; `tolerance`, every logit by the
            limit that the target declares; `decisions`, the share of changed labels.
        batch_invariant: whether a record's logits are the same whatever shares its batch; if not, one window is read
            per run.
        quantises: whether it replaces products of layers, so that a family without any has no such file.
        portable: whether the file runs on every machine that has the providers; an engine built for one GPU does not.
        providers: execution providers of ONNX Runtime that may run it, best first; one of them is enough, and where the
            processor is among them the answers that a bundle records are the processor's.
        elsewhere: why no other provider may run it, for whoever asks for one.
        tolerances: of criterion `parity`, how far a logit may be off by provider, where that is not the processor's.
        model: name of its file in the export folder. file: that file's name in a bundle.
        chooses: whether `build` chooses something by the answers that it changes, which other records then judge.
        refits: whether its file is made of the model as a training of the target's own leaves it.
        calibrates: whether `build` reads training records through the model.
        starts_from: name of the target whose export this one is made from; None starts from the model folder.
    """

    runtime: ClassVar[str] = "onnxruntime"
    precision: ClassVar[str]
    criterion: ClassVar[Criterion]
    batch_invariant: ClassVar[bool]
    quantises: ClassVar[bool] = False
    portable: ClassVar[bool] = True
    providers: ClassVar[tuple[str, ...]] = (CPU,)
    elsewhere: ClassVar[str] = ""
    tolerances: ClassVar[Mapping[str, float]] = {}
    model: ClassVar[str] = "model.onnx"
    file: ClassVar[str]
    chooses: ClassVar[bool] = False
    calibrates: ClassVar[bool] = False
    refits: ClassVar[bool] = False
    starts_from: ClassVar[str | None] = None

    name: Annotated[str, Field(min_length=1)] = Field(description="the artifact is export/<model>/<name>")
    target: Annotated[str, Field(min_length=1)] = Field(description="the file in export/targets that holds its class")
    parity_rows: PositiveInt = Field(1000, description="most validation records that parity reads, evenly spread")
    falls_back: list[str] = Field(
        default_factory=list, description="export presets that are taken in this one's place where it fails its gates"
    )
    gates: Limits = Field(default_factory=Limits, description="how far a file may change its model's answers")

    def require_machine(self) -> None:
        """Check, before anything is trained, that files can be made here. Raises: UserError with what to install."""

    def made_elsewhere(self) -> Target:
        """The same, for a file that is made on another machine than the one that it runs on."""
        return self

    @abstractmethod
    def build(self, source: Source, folder: Path) -> Mapping[str, Any]:
        """Write the model file into `folder`.

        Returns: what was chosen on the way, JSON-ready, for `parity.json`.
        Raises: UserError when the model cannot be exported so.
        """

    def require(self, model: Any) -> None:
        """Check, before anything is trained, that this target can be made of a `PreTrainedModel`. Raises: UserError."""

    def problem_with(self, config: Mapping[str, Any]) -> str | None:
        """Why it cannot be made of a model with this `config.json`, where that alone says so; None where it can."""
        return None

    def declared(self) -> Json:
        """Of its gates those that it asks, JSON-ready."""
        return {name: most for name, most in self.gates.as_json().items() if most is not None}

    @classmethod
    def open(cls, folder: Path, threads: int | None = None, provider: str = AUTO, *, spinning: bool = True) -> Runner:
        """The export in `folder`, ready to run. Args: provider: `auto`, `cpu`, `cuda` or `tensorrt`. spinning: as in
        `distill.inference.providers.open_session`.

        Raises: UserError when its file or the provider is unavailable, or the provider must not run it.
        """
        from distill.inference.onnx_runner import OnnxRunner

        return OnnxRunner(folder / cls.model, threads=threads, facts=cls.facts(), provider=provider, spinning=spinning)

    @classmethod
    def scorer(cls, folder: Path, model_folder: Path, how: Opening) -> Scorer:
        """The export in `folder` behind the view of its model, as it is served: where records must not share a batch,
        one window at a time; in both orders of `task.swap`. Raises: UserError as `open`.
        """
        from distill.families.family import as_served, renderer
        from distill.inference.runner_scorer import RunnerScorer

        runner = cls.open(folder, how.threads, how.provider, spinning=how.spinning)
        rows = how.max_rows if cls.batch_invariant else 1
        reader = RunnerScorer(runner, renderer(model_folder, how), batch_tokens=how.batch_tokens, max_rows=rows)
        return as_served(reader, model_folder, how)

    @classmethod
    def limits(cls, cpu: str) -> list[str]:
        """Lines for the limits in a model card. Args: cpu: class of processor that the bundle was recorded on."""
        return []

    def entry(self, folder: Path) -> dict[str, Any]:
        """What a bundle's manifest says of the export in `folder`, JSON-ready: facts, and what was chosen for it."""
        return self.facts()

    @classmethod
    def facts(cls) -> dict[str, Any]:
        """What holds of every file of this target, JSON-ready."""
        return {
            "precision": cls.precision,
            "criterion": cls.criterion,
            "batch_invariant": cls.batch_invariant,
            "portable": cls.portable,
            "providers": list(cls.providers),
            **({"elsewhere": cls.elsewhere} if cls.elsewhere else {}),
            **({"tolerances": dict(cls.tolerances)} if cls.tolerances else {}),
        }
