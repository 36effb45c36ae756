"""What makes a teacher: where it starts, what it reads, how it is trained, how it labels."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from distill.core.config import Config
from distill.models.config import FreshEncoder, HeadConfig, VocabularyConfig
from distill.training.config import TrainingConfig
from distill.training.learning import SHORT, LearningConfig, Models
from distill.training.losses.registry import gold_alone
from distill.training.losses.term import Term
from teachers.phases import ALL_OF_TRAIN, Keep, Mixture, PhaseConfig, phase_problems


class LabellingConfig(Config):
    """How a teacher labels the pool."""

    shard_rows: PositiveInt = Field(2048, description="rows of a shard; a kill loses at most one shard")
    batch_tokens: PositiveInt = Field(4096, description="padded tokens of one forward pass")
    half: bool = Field(False, description="store logits as float16")
    precision: str = Field("auto", pattern="^(auto|fp32|bf16)$", description="auto: bf16 where the processor has it")
    precision_limit: PositiveFloat = Field(
        0.1,
        description="most that bf16 or a backend may change a logit of 32 rows; else some layers, or all, are in fp32",
    )
    backend: str = Field(
        "torch",
        pattern=r"^\w+(\.\w+)*(:\w+)?$",
        description="what runs an encoder: torch, onnx, openvino, or module:Class of your own",
    )
    unpadded: bool = Field(
        False, description="read a batch's rows one after the other, without padding: encoders built as BERT, in torch"
    )
    compiled: bool = Field(
        False, description="let torch.compile make an encoder faster, in torch, with padding; it needs a compiler"
    )
    tokenisers: NonNegativeInt = Field(
        0, description="processes that render and tokenise ahead of an encoder; 0: a thread; nothing in the labels"
    )

    def as_fingerprint(self, *leave_out: str) -> dict[str, Any]:
        """Not how many processes tokenise: the labels are the same."""
        return super().as_fingerprint(*leave_out, "tokenisers")


class TeacherEntry(Config):
    """What every teacher of a project has, whatever its family."""

    preset: str = Field(description="the preset that the other values start from")
    family: str = Field("encoder", description="kind of model: encoder, tfidf, ensemble, or module:Class of your own")
    view: str = Field("document", description="the view it reads")
    weight: NonNegativeFloat = Field(1.0, description="its weight among several teachers; 0: only measured")
    slices: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="train on rows of these slices only; null: on all"
    )
    learns_from: Models | None = Field(
        None, description="other teachers whose soft labels it learns, in equal parts; null: gold alone"
    )
    rows: Mixture = Field(
        ALL_OF_TRAIN,
        description="rows to learn: train, or names of data.extra, with weights or without; of soft labels all, pool, "
        "train, or names of pool sources",
    )
    allow_missing: bool = Field(
        False, description="learn from the rows that have soft labels where a store misses some; false: an error"
    )
    labelling: LabellingConfig = Field(default_factory=LabellingConfig)
    cross_fit: int | None = Field(
        None, ge=2, description="label the training rows by this many more fits, each without those that it labels"
    )

    kfold: bool = Field(
        False, description="measure the fits of cross_fit out of fold, and make their mean a teacher too: NAME-kfold"
    )

    export: bool = Field(
        True, description="export it too, to time it in other runtimes; false: it is timed as it was trained alone"
    )

    @model_validator(mode="after")
    def _has_folds(self) -> Self:
        if self.kfold and self.cross_fit is None:
            raise ValueError("kfold: there are no folds; write how many (cross_fit: 5)")
        return self

    @property
    def made_by(self) -> str:
        """The family that makes its model folder."""
        return self.family

    def fit_settings(self) -> dict[str, Any]:
        """The settings that its weights depend on, as far as they differ from their defaults."""
        apart = ("labelling", "cross_fit", "kfold", "export", "learns_from")
        return self.as_fingerprint("preset", "view", "weight", *apart)


class TeacherConfig(LearningConfig, TeacherEntry):
    """A teacher that starts from a checkpoint: fine-tuned here, finished elsewhere, or known by its labels alone."""

    checkpoint: str | None = Field(None, description="folder or hub id of a pre-trained encoder; null: random weights")
    finished: str | None = Field(
        None, description="folder of a model that is fitted already, of any family; nothing is trained"
    )
    starts_from: str | None = Field(
        None, description="teacher whose fitted weights it starts from: NAME, or NAME@card; null: its checkpoint"
    )
    pretrain: bool = Field(
        False, description="first go on pre-training the checkpoint, by the section `pretrain`, on train and pool texts"
    )
    labels: str | None = Field(None, description="file with this teacher's logits, made elsewhere; nothing is labelled")
    fresh: FreshEncoder | None = Field(None, description="architecture of random weights; needs checkpoint: null")
    vocabulary: VocabularyConfig | None = Field(
        None,
        description="cut the checkpoint's vocabulary to the tokens of the texts before fine-tuning; null: no",
    )
    head: HeadConfig | None = Field(None, description="a head with a hidden layer; null: the head of its family")
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    layers: PositiveInt | None = Field(None, description="layers kept of what it starts from; null: all of them")
    keep: Keep = Field("spread", description="which of them: spread evenly, first or last")
    phases: dict[str, PhaseConfig] | None = Field(
        None, description="fits one after the other in one model, by name: rows, epochs, rates; null: one fit"
    )
    copies: PositiveInt = Field(
        1, description="fits of this recipe with other seeds, teachers that share its weight: NAME, NAME-copy2, …"
    )

    @model_validator(mode="after")
    def _starts_once(self) -> TeacherConfig:
        if self.fresh is not None and self.checkpoint is not None:
            raise ValueError(
                f"fresh: the teacher starts from '{self.checkpoint}'; set checkpoint: null for random weights"
            )
        if self.vocabulary is not None and self.finished is not None:
            raise ValueError("vocabulary: a finished teacher is taken as it is; trim its students instead")
        if self.head is not None and self.finished is not None:
            raise ValueError("head: a finished teacher is taken as it is; remove it")
        if self.vocabulary is not None and self.checkpoint is None:
            raise ValueError("vocabulary: random weights have one that is learnt from the texts; remove it")
        return self

    @property
    def made_by(self) -> str:
        """`imported` for labels made elsewhere, `finished` for an encoder trained elsewhere, `finished_model` for what
        a run has fitted of another family, else the family.
        """
        if self.labels is not None:
            return "imported"
        finished = "finished" if self.family == "encoder" else "finished_model"
        return self.family if self.finished is None else finished

    @model_validator(mode="after")
    def _keeps_layers(self) -> TeacherConfig:
        if self.keep != "spread" and self.layers is None:
            raise ValueError("keep: says which layers are kept; write how many (layers)")
        if self.finished is not None and self.layers is not None:
            raise ValueError("layers: a finished teacher is taken as it is; remove layers, or cut its students")
        return self

    @model_validator(mode="after")
    def _phases_follow(self) -> TeacherConfig:
        if self.phases is None:
            return self
        found = phase_problems(self.phases, self.training)
        if self.rows != ALL_OF_TRAIN:
            found.append("rows: each phase names its own; remove rows")
        if found:
            raise ValueError("\n".join(found))
        return self

    def in_phases(self) -> dict[str, Self]:
        """Each phase as a teacher of one fit, by name, in order; itself under the empty name where there are none.

        The first one keeps the teacher's layers unless it says otherwise, later ones all that the one before has left.
        All but the last may answer alike for all validation rows: more comes after.
        """
        if self.phases is None:
            return {"": self}
        found: dict[str, Self] = {}
        for name, phase in self.phases.items():
            own = self if phase.layers is None and not found else phase
            cut = {"layers": own.layers, "keep": own.keep}
            training = phase.training(self.training)
            if len(found) < len(self.phases) - 1:
                training = training.model_copy(update={"may_collapse": True})
            more = {"phases": None, "rows": phase.rows, "training": training}
            found[name] = self.model_copy(update={**cut, **more})
        return found

    @property
    def depth(self) -> int | None:
        """Its layers, where it or one of its phases says how many; None: those of what it starts from."""
        return next((one.layers for one in reversed(self.in_phases().values()) if one.layers is not None), None)

    @property
    def terms(self) -> dict[str, Term]:
        """Those of its losses where it learns soft labels, else gold alone."""
        return gold_alone() if self.learns_from is None else super().terms

    def fit_settings(self) -> dict[str, Any]:
        """The settings that its weights depend on; what it starts from is an artifact of its own."""
        apart = ("labels", "cross_fit", "kfold", "copies", "export", "learns_from")
        starts = ("checkpoint", "fresh", "vocabulary", "finished", "starts_from", "pretrain")
        kept = self.as_fingerprint("preset", "view", "weight", "labelling", *apart, *starts)
        return {"finished": True} if self.finished is not None else kept

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON values, those of soft labels where it learns any."""
        unused = ("losses", *SHORT) if self.learns_from is None else ()
        return {name: value for name, value in super().as_json().items() if name not in unused}

    @property
    def architecture(self) -> FreshEncoder:
        """What is built when no checkpoint is given."""
        return self.fresh or FreshEncoder()
