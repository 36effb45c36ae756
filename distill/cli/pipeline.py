"""The steps of a run, in order: each line of `plan` is one artifact. Bodies are imported when they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.cli.settings import Settings
from distill.core.model_folder import layer_count, parameter_count
from distill.core.splits import KEY_TEST
from distill.core.steps import Step
from distill.core.view import TOKENIZER_FILE, View
from distill.report.evaluation import Model, References

RECORDS = "records"
EVALUATION = "evaluation"
LATENCY = "latency"
GOLD = "-gold"


@dataclass(frozen=True)
class Stage:
    """A step and the verb that it belongs to: `distill VERB` runs a plan up to its last step of that verb."""

    verb: str
    step: Step


@dataclass(frozen=True)
class Trained:
    """A model folder of the run and what it reads."""

    name: str
    role: str
    preset: str
    view: str
    artifact: str

    @property
    def label(self) -> str:
        """Its name in the report: `8L_trunc@card`."""
        return self.name if "@" in self.name else f"{self.name}@{self.view}"


class Pipeline:
    """Builds the plan of a run from its settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.run = settings, settings.run
        self.project = settings.project
        self.space = settings.project.task.space

    def plan(self) -> Iterator[Stage]:
        """All steps in order, from reading records to the bundles; the report is written after them."""
        s = self.settings
        yield Stage("audit", self._records())
        for name in s.teachers:
            if s.teachers[name].finished is None:
                yield Stage("teach", self._checkpoint(name))
            yield Stage("teach", self._teach(name))
            yield Stage("label", self._label(name))
        if self.ceiling:
            yield Stage("teach", self._teach(s.lead_teacher, on_card=True))
        for name in s.students:
            yield Stage("train", self._train(name))
            yield Stage("train", self._train(name, gold_only=True))
        for model in self.trained:
            yield Stage("evaluate", self._predict(model, model.view))
        yield Stage("evaluate", self._predict(self.lead, "card"))
        for model, target in self._exports():
            yield Stage("export", self._export(model, target))
            if model.role == "student":
                yield Stage("evaluate", self._predict_exported(model, target))
        yield Stage("evaluate", self._evaluate())
        yield Stage("bench", self._bench())

    def bundles(self) -> Iterator[Stage]:
        """The hand-off of each student; only made when every gate has passed."""
        for name in self.settings.students:
            yield Stage("bundle", self._bundle(name))

    @property
    def lead(self) -> Trained:
        """The first teacher."""
        return self._teachers[0]

    @property
    def ceiling(self) -> Trained | None:
        """The lead teacher's preset trained on cards; None for a finished teacher, which has no recipe here."""
        name = self.settings.lead_teacher
        config = self.settings.teachers[name]
        if config.finished is not None or config.view == "card":
            return None
        return Trained(f"{name}@card", "teacher", config.preset, "card", f"teachers/{name}@card")

    @property
    def trained(self) -> list[Trained]:
        """Every model folder that the run makes."""
        students = [
            model
            for name, config in self.settings.students.items()
            for model in (
                Trained(name, "student", config.preset, config.view, f"students/{name}"),
                Trained(f"{name}{GOLD}", "baseline", config.preset, config.view, f"students/{name}{GOLD}"),
            )
        ]
        return [*self._teachers, *([self.ceiling] if self.ceiling else []), *students]

    @property
    def _teachers(self) -> list[Trained]:
        items = self.settings.teachers.items()
        return [Trained(name, "teacher", config.preset, config.view, f"teachers/{name}") for name, config in items]

    @property
    def splits(self) -> list[str]:
        """The labelled splits that are predicted: validation and every test."""
        return ["valid", *self.tests]

    @property
    def tests(self) -> list[str]:
        """The test splits."""
        if self.project.data.split.mode == "keys":
            return [KEY_TEST]
        return [f"test.{name}" for name in self.project.data.test]

    def parity_folders(self) -> list[Path]:
        """The export folders of the run."""
        return [self.run / self._export_artifact(model, target) for model, target in self._exports()]

    def _records(self) -> Step:
        from distill.core.prepare import prepare
        from distill.core.sources import data_files

        project = self.project
        files = [path for paths in data_files(project, Path(".")).values() for path in paths]
        tokenizers = self._known_tokenizers()
        data = project.data.model_dump(mode="json", exclude={"root"})
        return Step(
            name="audit",
            artifact=RECORDS,
            body=lambda folder: prepare(project, folder, tokenizers=tokenizers),
            config={
                "task": project.task.model_dump(mode="json"),
                "data": data,
                "views": {name: view.model_dump(mode="json") for name, view in project.views.items()},
                "seed": project.seed,
            },
            files=(*files, *sorted(set((tokenizers or {}).values()))),
            publish=("audit.json", "quarantine.jsonl"),
        )

    def _known_tokenizers(self) -> dict[str, Path] | None:
        """The lead teacher's tokenizer for every view, where it lies in a folder already."""
        config = self.settings.teachers[self.settings.lead_teacher]
        source = config.finished or config.checkpoint
        path = Path(source) / TOKENIZER_FILE if source else None
        return {name: path for name in self.project.views} if path and path.is_file() else None

    def _checkpoint(self, name: str) -> Step:
        config = self.settings.teachers[name]
        seed = self.project.seed

        def body(folder: Path) -> None:
            from teachers.checkpoint import prepare_checkpoint

            prepare_checkpoint(config, self.run / RECORDS, seed, folder)

        local = Path(config.checkpoint) if config.checkpoint and Path(config.checkpoint).is_dir() else None
        files = tuple(sorted([*local.glob("*.safetensors"), *local.glob("*.json")])) if local else ()
        return Step(
            name=f"checkpoint {name}",
            artifact=self._checkpoint_artifact(name),
            body=body,
            config={"checkpoint": None if local else config.checkpoint, "fresh": _json(config.fresh), "seed": seed},
            upstream=() if config.checkpoint else (RECORDS,),
            files=files,
        )

    def _teach(self, name: str, on_card: bool = False) -> Step:
        config = self.settings.teachers[name]
        view_name = "card" if on_card else config.view
        settings = self.project

        def body(folder: Path) -> None:
            from teachers.teach import adopt_finished, teach

            if config.finished is not None:
                view = View(view_name, settings.views[view_name], Path(config.finished) / TOKENIZER_FILE)
                adopt_finished(config.finished, self.space, view, folder)
                return
            start = self.run / self._checkpoint_artifact(name)
            view = View(view_name, settings.views[view_name], start / TOKENIZER_FILE)
            teach(config, self.space, view, self.run / RECORDS, start, settings.seed, settings.threads, folder)

        part = {"view": _json(settings.views[view_name]), "task": _json(settings.task), "threads": settings.threads}
        how = {"finished": True} if config.finished else {"training": _json(config.training), "seed": settings.seed}
        finished = Path(config.finished) if config.finished else None
        return Step(
            name=f"teach {name}@{view_name}",
            artifact=f"teachers/{name}@card" if on_card else f"teachers/{name}",
            body=body,
            config={**part, **how},
            upstream=() if finished else (RECORDS, self._checkpoint_artifact(name)),
            files=tuple(sorted([*finished.glob("*.safetensors"), *finished.glob("*.json")])) if finished else (),
        )

    def _label(self, name: str) -> Step:
        config = self.settings.teachers[name]
        threads = self.project.threads
        file = Path(config.labels) if config.labels else None

        def body(folder: Path) -> None:
            if file:
                from teachers.import_labels import import_labels

                import_labels(config.labelling, file, self.space, self.run / RECORDS, folder)
                return
            from teachers.label import label

            label(config.labelling, self.run / f"teachers/{name}", self.run / RECORDS, threads, folder)

        return Step(
            name=f"label {name}",
            artifact=self._labels_artifact(name),
            body=body,
            config=_json(config.labelling),
            upstream=(RECORDS,) if file else (RECORDS, f"teachers/{name}"),
            files=(file,) if file else (),
        )

    def _train(self, name: str, gold_only: bool = False) -> Step:
        config = self.settings.students[name]
        project = self.project
        source = self._source_artifact(name)
        stores = [teacher for teacher, entry in self.settings.teachers.items() if entry.weight > 0]

        def body(folder: Path) -> None:
            from students.train import train

            view = View(config.view, project.views[config.view], self.run / source / TOKENIZER_FILE)
            weights = {self.run / self._labels_artifact(t): self.settings.teachers[t].weight for t in stores}
            train(
                config,
                self.space,
                view,
                self.run / RECORDS,
                weights,
                self.run / source,
                project.seed,
                project.threads,
                folder,
                gold_only=gold_only,
            )

        part = {"view": _json(project.views[config.view]), "seed": project.seed, "threads": project.threads}
        weights = {teacher: self.settings.teachers[teacher].weight for teacher in stores}
        return Step(
            name=f"train {name}{GOLD if gold_only else ''}",
            artifact=f"students/{name}{GOLD if gold_only else ''}",
            body=body,
            config={**part, "student": _json(config), "weights": weights, "gold_only": gold_only},
            upstream=(RECORDS, source, *(self._labels_artifact(teacher) for teacher in stores)),
        )

    def _predict(self, model: Trained, view_name: str) -> Step:
        folder, view_config = self.run / model.artifact, self.project.views[view_name]
        foreign = view_name != model.view

        def body(out: Path) -> None:
            from distill.inference.predict import predict
            from distill.inference.torch_runner import TorchRunner

            stored = View.load(folder)
            view = View(view_name, view_config, folder / TOKENIZER_FILE) if foreign else stored
            predict(lambda: TorchRunner(folder, threads=self.project.threads), view, self.run / RECORDS, self.splits, out)

        name = f"{model.label}>{view_name}" if foreign else model.label
        return Step(
            name=f"predict {name}",
            artifact=f"predictions/{name}",
            body=body,
            config={"view": _json(view_config), "splits": self.splits},
            upstream=(RECORDS, model.artifact),
        )

    def _exports(self) -> Iterator[tuple[Trained, str]]:
        """(model, target): teachers leave as fp32 for the latency report, students as every target."""
        for model in self.trained:
            for name, target in self.settings.targets.items():
                if model.role == "student" or (model.role == "teacher" and target.precision == "fp32"):
                    yield model, name

    def _export(self, model: Trained, target: str) -> Step:
        config = self.settings.targets[target]
        fp32 = next((n for n, t in self.settings.targets.items() if t.precision == "fp32" and n != target), None)
        built_on = self._export_artifact(model, fp32) if fp32 and config.precision != "fp32" else None

        def body(folder: Path) -> None:
            from distill.core.record_store import read_records
            from export.build import export_target

            rows = [record.fields for record in read_records(self.run / RECORDS, "valid")]
            source = self.run / built_on / "model.onnx" if built_on else None
            export_target(config, self.run / model.artifact, rows, self.project.gates, folder, source)

        gates = self.project.gates
        required = {"parity_fp32": gates.parity_fp32, "int8_flips": gates.int8_flips}
        return Step(
            name=f"export {model.name}.{target}",
            artifact=self._export_artifact(model, target),
            body=body,
            config={"target": _json(config), "gates": required},
            upstream=(RECORDS, model.artifact, *([built_on] if built_on else [])),
        )

    def _predict_exported(self, model: Trained, target: str) -> Step:
        exported = self._export_artifact(model, target)
        # As served: dynamic int8 scales its activations per run, so a record must not share one with others.
        max_rows = 1 if self.settings.targets[target].precision == "int8" else 64

        def body(out: Path) -> None:
            from distill.inference.onnx_runner import OnnxRunner
            from distill.inference.predict import predict

            view = View.load(self.run / model.artifact)
            file, threads = self.run / exported / "model.onnx", self.project.threads
            open_runner = lambda: OnnxRunner(file, threads=threads)  # noqa: E731
            predict(open_runner, view, self.run / RECORDS, self.splits, out, max_rows=max_rows)

        return Step(
            name=f"predict {model.label}.{target}",
            artifact=f"predictions/{model.label}.{target}",
            body=body,
            config={"splits": self.splits},
            upstream=(RECORDS, model.artifact, exported),
        )

    def _evaluate(self) -> Step:
        settings, seed = self.project.quality, self.project.seed

        def body(folder: Path) -> None:
            from distill.core.files import write_json
            from distill.report.evaluation import evaluate

            models, predictions = self._models(), self.run / "predictions"
            result = evaluate(models, self.tests, self._references(), predictions, self.space, settings, seed)
            write_json(folder / "evaluation.json", result)

        return Step(
            name="evaluate",
            artifact=EVALUATION,
            body=body,
            config={"quality": _json(settings), "task": _json(self.project.task), "seed": seed, "tests": self.tests},
            upstream=tuple(self._prediction_artifacts()),
        )

    def _prediction_artifacts(self) -> list[str]:
        names = [model.label for model in self.trained] + [f"{self.lead.label}>card"]
        names += [f"{model.label}.{target}" for model, target in self._exports() if model.role == "student"]
        return [f"predictions/{name}" for name in names]

    def _references(self) -> References:
        document = "ensemble@document" if len(self._teachers) > 1 else self.lead.label
        return References(document=document, card=self.ceiling.label if self.ceiling else f"{self.lead.label}>card")

    def _models(self) -> list[Model]:
        """Every row of the report's table, with the models that each is compared with."""
        references = self._references()
        rivals: dict[str, Callable[[Trained], tuple[str, ...]]] = {
            "teacher": lambda m: (self.lead.label,) if m.label == references.card else (),
            "baseline": lambda m: (references.card,),
            "student": lambda m: (f"{m.name}{GOLD}@{m.view}", references.card, references.document),
        }
        models = [self._row(m, m.label, m.role, m.view, rivals[m.role](m)) for m in self.trained]
        if len(self._teachers) > 1:
            members = tuple((m.label, self.settings.teachers[m.name].weight) for m in self._teachers)
            models.append(Model("ensemble@document", "teacher", "ensemble", "document", members=members))
        models.append(self._row(self.lead, f"{self.lead.label}>card", "teacher", "card", ()))
        models += [
            self._row(model, f"{model.label}.{target}", "artifact", model.view, (model.label,))
            for model, target in self._exports()
            if model.role == "student"
        ]
        return models

    def _row(self, model: Trained, name: str, role: str, view: str, rivals: tuple[str, ...]) -> Model:
        folder = self.run / model.artifact
        return Model(name, role, model.preset, view, layer_count(folder), parameter_count(folder), rivals)

    def _bench(self) -> Step:
        config, threads = self.settings.bench, self.project.threads
        shipped = [(model, target) for model, target in self._exports()]

        def body(folder: Path) -> None:
            from benchmarks.latency import measure
            from distill.core.progress import progress
            from distill.core.record_store import read_records

            rows = [record.fields for test in self.tests for record in read_records(self.run / RECORDS, test)]
            subjects = self._subjects()
            with progress("measuring latency", len(subjects) * config.processes) as advance:
                measure(
                    subjects,
                    {view: rows for view in self.project.views},
                    config,
                    threads,
                    folder / "latency.json",
                    on_progress=lambda done, total, name: advance(done),
                )

        return Step(
            name="bench",
            artifact=LATENCY,
            body=body,
            config={"bench": _json(config), "threads": threads},
            upstream=(
                RECORDS,
                *(m.artifact for m in self.trained if m.role == "teacher"),
                *(self._export_artifact(model, target) for model, target in shipped),
            ),
        )

    def _subjects(self) -> list[Any]:
        from benchmarks.subjects import Subject

        teachers = [model for model in self.trained if model.role == "teacher"]
        subjects = [Subject(m.label, m.view, "pytorch", "fp32", self.run / m.artifact, None, m.role) for m in teachers]
        for model, target in self._exports():
            file = self.run / self._export_artifact(model, target) / "model.onnx"
            precision = self.settings.targets[target].precision
            name = f"{model.label}.{target}"
            subjects.append(
                Subject(name, model.view, "onnxruntime", precision, self.run / model.artifact, file, model.role)
            )
        return subjects

    def _bundle(self, name: str) -> Step:
        model = next(m for m in self.trained if m.name == name)
        source = self._source_artifact(name)
        labels = [self._labels_artifact(teacher) for teacher in self.settings.teachers]
        exports = {target: self._export_artifact(model, target) for target in self.settings.targets}

        def body(folder: Path) -> None:
            from distill.cli.hand_off import hand_off

            upstream = [RECORDS, source, *labels, model.artifact, *exports.values()]
            hand_off(self.settings, model.label, self.run / model.artifact, exports, upstream, folder)

        return Step(
            name=f"bundle {name}",
            artifact=f"bundles/{name}",
            body=body,
            config={"seed": self.project.seed},
            upstream=(model.artifact, EVALUATION, LATENCY, *exports.values()),
            manifest="step.json",
        )

    def _source_artifact(self, student: str) -> str:
        teacher = self.settings.source_of(student)
        pretrained = self.settings.students[student].init == "pretrained"
        return self._checkpoint_artifact(teacher) if pretrained else f"teachers/{teacher}"

    @staticmethod
    def _checkpoint_artifact(teacher: str) -> str:
        return f"checkpoints/{teacher}"

    @staticmethod
    def _labels_artifact(teacher: str) -> str:
        return f"labels/{teacher}"

    @staticmethod
    def _export_artifact(model: Trained, target: str) -> str:
        return f"export/{model.name}/{target}"


def _json(config: Any) -> Any:
    return config.model_dump(mode="json")
