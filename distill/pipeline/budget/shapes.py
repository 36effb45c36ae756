"""The shapes that may fit a budget, as students of a run of their own whose weights nobody reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tokenizers import Tokenizer

from benchmarks.candidates import Candidate, Shape, combinations
from distill.core.budget import Budget
from distill.core.errors import UserError
from distill.core.model_folder import layer_count
from distill.core.project import ViewConfig
from distill.core.rendering import Renderer
from distill.core.steps import Step
from distill.core.view import TOKENIZER_FILE
from distill.families.family import CONFIG_FILE
from distill.models.config import FreshEncoder
from distill.models.layer_map import PROBE
from distill.pipeline.entries import student_entry
from distill.pipeline.experiment import Experiment
from distill.pipeline.models import STUDENT, ModelSpec, Start
from distill.pipeline.plan import fitting
from distill.pipeline.settings import Settings
from distill.pipeline.steps.data import records_step
from distill.pipeline.steps.start import start_steps
from distill.pipeline.validation_choices import require_unchosen
from students.config import StudentConfig, StudentEntry, TrainedEntry
from teachers.embedded import local_folder

FOLDER = "budget"
SHAPES, TRAINED = f"{FOLDER}/shapes", f"{FOLDER}/trained"
SOURCE, BAG = "source", "bag"
_HEAD = 64  # width of an attention head
_LEAST_TOKENS = 8


@dataclass(frozen=True)
class Search:
    """What is asked. Attributes: settings: of the run, with its section `budget`. template: the student whose recipe,
    view and start every shape has.
    """

    settings: Settings
    template: StudentConfig

    @classmethod
    def of(cls, settings: Settings) -> Search:
        """Raises: UserError where no bound is given, no student has layers that can be varied, or the choice cannot be
        made on validation rows.
        """
        if settings.project.budget.ms is None:
            raise UserError("no bound is given", where=f"{settings.where}: budget.ms", do="give --latency-budget MS")
        template = next((one for one in settings.students.values() if isinstance(one, StudentConfig)), None)
        if template is None:
            raise UserError(
                "no student of the family encoder, whose recipe the candidates could have",
                where=f"{settings.where}: students",
                found=", ".join(settings.students) or "{}",
                do="name one, here or with --student 6L",
            )
        found = cls(settings, template)
        shapes = {shape.name: entry for shape, entry in found.entries(None).items()}
        require_unchosen(Experiment(replace(found.run_of(shapes, SHAPES), closed=True)))
        return found

    @property
    def budget(self) -> Budget:
        """The section."""
        return self.settings.project.budget

    @property
    def bound(self) -> float:
        """Milliseconds."""
        assert self.budget.ms is not None
        return self.budget.ms

    @property
    def folder(self) -> Path:
        """Of all that is made."""
        return self.settings.run / FOLDER

    @property
    def lengths(self) -> list[int]:
        """The lengths that are tried, the longest first."""
        own = self.settings.project.views[self.template.view].max_tokens
        by_default = [one for one in (own, own // 2, own // 4) if one >= min(_LEAST_TOKENS, own)]
        return sorted(set(self.budget.max_tokens or by_default), reverse=True)

    @property
    def threads(self) -> list[int]:
        """The counts of threads that are tried, the least first."""
        return sorted(set(self.budget.threads or [1, self.settings.project.threads]))

    def view_at(self, tokens: int) -> str:
        """Name of the template's view at another length."""
        return f"{self.template.view}-{tokens}"

    def entries(self, depth: int | None) -> dict[Shape, StudentEntry]:
        """Every shape with its entry, as a student of the longest view. Args: depth: of the source; None: unknown."""
        found: dict[Shape, StudentEntry] = {}
        for layers in sorted(set(self.budget.layers)):
            if depth is None or layers <= depth:
                found[Shape(f"{layers}L", SOURCE, layers)] = self._cut(layers)
            for width in self.budget.widths:
                found[Shape(f"{layers}L-w{width}", f"{width} wide", layers)] = self._fresh(layers, width)
        if self.budget.bag:
            where = self.settings.where
            entry = student_entry(BAG, {"view": self.template.view}, where, Path(where).parent)
            found[Shape(BAG, BAG, 0)] = entry
        return found

    def run_of(self, students: Mapping[str, StudentEntry], folder: str) -> Settings:
        """A run below this one that has these students, and the template's view at every length.

        It has none of the other students, which `quality.baseline` may name.
        """
        project, base = self.settings.project, self.settings.project.views[self.template.view]
        views: dict[str, ViewConfig] = {
            self.view_at(one): base.model_copy(update={"max_tokens": one}) for one in self.lengths
        }
        quiet = {"gold_twins": False, "random": False, "tfidf": False, "bag_of_tokens": False}
        controls = project.controls.model_copy(update=quiet)
        quality = project.quality.model_copy(update={"baseline": None})
        update = {"views": {**project.views, **views}, "controls": controls, "quality": quality}
        changed = project.model_copy(update=update)
        run = self.settings.run
        alike = (run, *(run / one for one in (SHAPES, TRAINED) if one != folder))
        return replace(self.settings, run=run / folder, project=changed, students=dict(students), alike=alike)

    def _cut(self, layers: int) -> StudentEntry:
        keep = self.template.keep if isinstance(self.template.keep, str) else "spread"
        source = None if self.template.source in self.settings.students else self.template.source
        changes = {"layers": layers, "keep": keep, "token_schedule": None, "source": source}
        return self.template.model_copy(update=changes)

    def _fresh(self, layers: int, width: int) -> StudentEntry:
        heads = next(count for count in range(max(1, width // _HEAD), 0, -1) if width % count == 0)
        shape = FreshEncoder(layers=layers, width=width, heads=heads)
        own = {"fresh": shape, "layers": None, "keep": "spread", "token_schedule": None}
        none = {"init": "teacher", "source": None, "start": None, "vocabulary": None}
        return self.template.model_copy(update={**own, **none})


class Shapes:
    """The candidates of a search. The depth of the source is known once its encoder is in the run's folder.

    Shapes are cut from the encoder that no teacher has trained, so that nothing is trained before it is known to fit.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        encoder = next(iter(search.settings.with_checkpoint), None)
        self._start = None if encoder is None else Start.of_checkpoint(encoder, search.settings)
        self.entries = search.entries(self._depth())
        students = {one.name: _unmeasured(entry) for one, entry in self.entries.items()}
        self.experiment = Experiment(search.run_of(students, SHAPES))

    def _depth(self) -> int | None:
        template, artifact = self.search.template, None if self._start is None else self._start.artifact
        if template.fresh is not None:
            return template.fresh.layers
        folder = local_folder(template.start) if template.start else None
        if folder is None and artifact is not None and template.start is None:
            folder = self.search.settings.run / SHAPES / artifact
        return layer_count(folder) if folder is not None and (folder / CONFIG_FILE).is_file() else None

    def spec(self, shape: Shape) -> ModelSpec:
        """The model that stands for a shape: of gold labels alone, ended after one step."""
        spec = self.experiment.models[shape.name]
        assert isinstance(spec.config, TrainedEntry)
        gold = spec.config.on_gold_alone()
        short = {"max_steps": 1, "early_stopping": None, "may_collapse": True, "checkpoint": "last"}
        config = gold.model_copy(update={"training": gold.training.model_copy(update=short)})
        start = spec.starts_from if spec.config.has_own_start else self._start
        return replace(spec, config=config, learns_from=(), starts_from=start)

    def before(self) -> Iterator[Step]:
        """Steps that come first: rows, and the encoder that shapes are cut from."""
        yield records_step(self.experiment)
        made: set[str] = set()
        if self._start is None:
            yield from (one.step for one in fitting("teach", self.experiment, self.experiment.first_teacher, made))
        for shape in self.entries:
            for step in start_steps(self.experiment, self.spec(shape)):
                if step.artifact not in made:
                    made.add(step.artifact)
                    yield step

    def targets(self) -> dict[str, list[str]]:
        """What each shape can be exported to, by its name; nothing that a training of its own is made for."""
        found: dict[str, list[str]] = {}
        for spec, rung in self.experiment.tried_exports():
            if spec.role == STUDENT and not self.experiment.settings.target(rung.target).refits:
                found.setdefault(spec.name, []).append(rung.target)
        return found

    def require_room(self) -> None:
        """Check that there is room beside the special tokens at every length, once the encoder is there.

        Raises: UserError naming the section's lengths.
        """
        search, experiment = self.search, self.experiment
        view = experiment.project.views[search.view_at(search.lengths[-1])]
        starts = dict.fromkeys(experiment.start(self.spec(shape)) for shape in self.entries)
        for start in filter(None, starts):
            tokenizer = Tokenizer.from_file(str(experiment.run / start.artifact / TOKENIZER_FILE))
            try:
                Renderer(view.as_json(), tokenizer)
            except ValueError as error:
                where = f"{search.settings.where}: budget.max_tokens"
                raise UserError(str(error), where=where, found=search.lengths, do="leave out the shortest") from None

    def candidates(self) -> list[Candidate]:
        """Every candidate."""
        search = self.search
        return list(combinations(self.entries, self.targets(), search.lengths, search.threads))

    def trained(self, students: Iterable[Candidate]) -> Settings:
        """The run of the students that are worth training."""
        by_name = {shape.name: entry for shape, entry in self.entries.items()}
        own = {one.student: self._entry(by_name[one.shape.name], one.tokens) for one in students}
        return self.search.run_of(own, TRAINED)

    def _entry(self, entry: StudentEntry, tokens: int) -> StudentEntry:
        """One that answers alike for all rows is a low point, no reason to end the search."""
        assert isinstance(entry, TrainedEntry)
        training = entry.training.model_copy(update={"may_collapse": True})
        return entry.model_copy(update={"view": self.search.view_at(tokens), "training": training})


def _unmeasured(entry: StudentEntry) -> StudentEntry:
    """The entry of equal speed for which no layers are chosen by measuring."""
    return entry.model_copy(update={"keep": "spread"}) if getattr(entry, "keep", None) == PROBE else entry
