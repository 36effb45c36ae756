"""What makes a teacher: where it starts, what it reads, how it is trained, how it labels."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from distill.core.config import Config
from distill.models.config import FreshEncoder, VocabularyConfig
from distill.training.config import TrainingConfig
from distill.training.losses.registry import gold_alone
from distill.training.losses.term import Term


class LabellingConfig(Config):
    """How a teacher labels the pool."""

    shard_rows: PositiveInt = Field(2048, description="rows of a shard; a kill loses at most one shard")
    batch_tokens: PositiveInt = Field(4096, description="padded tokens of one forward pass")
    half: bool = Field(False, description="store logits as float16")
    precision: str = Field("auto", pattern="^(auto|fp32|bf16)$", description="auto: bf16 where the processor has it")


class TeacherEntry(Config):
    """What every teacher of a project has, whatever its family."""

    preset: str = Field(description="the preset that the other values start from")
    family: str = Field("encoder", description="kind of model: encoder, tfidf, ensemble, or module:Class of your own")
    view: str = Field("document", description="the view it reads")
    weight: NonNegativeFloat = Field(1.0, description="its weight among several teachers; 0: only measured")
    slices: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="train on rows of these slices only; null: on all"
    )
    labelling: LabellingConfig = Field(default_factory=LabellingConfig)
    cross_fit: int | None = Field(
        None, ge=2, description="label the training rows by this many more fits, each without those that it labels"
    )

    @property
    def made_by(self) -> str:
        """The family that makes its model folder."""
        return self.family

    def fit_settings(self) -> dict[str, Any]:
        """The settings that its weights depend on, as far as they differ from their defaults."""
        return self.as_fingerprint("preset", "view", "weight", "labelling", "cross_fit")


class TeacherConfig(TeacherEntry):
    """A teacher of the family `encoder`: fine-tuned here, finished elsewhere, or known by its labels alone."""

    checkpoint: str | None = Field(None, description="folder or hub id of a pre-trained encoder; null: random weights")
    finished: str | None = Field(None, description="folder of a teacher fine-tuned elsewhere; nothing is trained")
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
    training: TrainingConfig = Field(default_factory=TrainingConfig)
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
        if self.vocabulary is not None and self.checkpoint is None:
            raise ValueError("vocabulary: random weights have one that is learnt from the texts; remove it")
        return self

    @property
    def made_by(self) -> str:
        """`imported` for labels made elsewhere, `finished` for a model trained elsewhere, else the family."""
        return "imported" if self.labels is not None else "finished" if self.finished is not None else self.family

    @property
    def layers(self) -> None:
        """All layers of its checkpoint."""
        return None

    @property
    def keep(self) -> str | list[int]:
        """A teacher keeps every layer."""
        return "spread"

    @property
    def token_schedule(self) -> None:
        """As in its checkpoint."""
        return None

    @property
    def terms(self) -> dict[str, Term]:
        """It learns gold alone."""
        return gold_alone()

    def fit_settings(self) -> dict[str, Any]:
        """The settings that its weights depend on; what it starts from is an artifact of its own."""
        apart = ("labels", "cross_fit", "copies")
        starts = ("checkpoint", "fresh", "vocabulary", "finished", "starts_from", "pretrain")
        kept = self.as_fingerprint("preset", "view", "weight", "labelling", *apart, *starts)
        return {"finished": True} if self.finished is not None else kept

    @property
    def architecture(self) -> FreshEncoder:
        """What is built when no checkpoint is given."""
        return self.fresh or FreshEncoder()
