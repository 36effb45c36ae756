"""What the families of small classifiers share: a start from the embeddings of a teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from distill.core.config import Config
from distill.core.errors import UserError
from distill.core.record_store import count_records, sample_records
from distill.core.view import View
from distill.families.family import Lesson
from distill.models.encoder_config import name_outputs

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from distill.models.small.over_encoder import OverEncoder

_MOST_ROWS = 20_000


class HeadSettings(Config):
    """The keys of a head with hidden layers."""

    hidden: PositiveInt | Annotated[list[PositiveInt], Field(min_length=1)] = Field(
        256, description="width of the head's hidden layer; several: a list, the first one first"
    )
    head_dropout: float = Field(0.1, ge=0, lt=1, description="dropout of the head")


class EmbeddingSettings(HeadSettings):
    """The keys of a model that starts from the embeddings of its source."""

    width: PositiveInt | None = Field(None, description="of the embeddings: principal components; null: the source's")


def named(config: Any, lesson: Lesson) -> Any:
    """A config with the lesson's classes as outputs."""
    assert lesson.source is not None
    name_outputs(
        config, list(lesson.space.objective.outputs(lesson.space.labels)), lesson.space.objective, lesson.source
    )
    return config


def inner_sizes(source: PreTrainedModel) -> dict[str, Any]:
    """What the config of a model over a whole encoder says of that encoder. Args: source: a classifier with it."""
    from distill.models.encoder import input_names
    from distill.models.two_layer_head import model_type_of

    inner = source.config
    return {
        "encoder": inner.to_diff_dict() | {"model_type": model_type_of(inner)},
        "vocab_size": inner.vocab_size,
        "hidden_size": inner.hidden_size,
        "num_hidden_layers": inner.num_hidden_layers,
        "type_vocab_size": inner.type_vocab_size if "token_type_ids" in input_names(source) else 0,
        "pad_token_id": inner.pad_token_id,
    }


def require_encoder(source: PreTrainedModel) -> None:
    """Check, without weights, that a model over the encoder of a classifier can be made, or is made already.

    Raises: as `take_encoder`.
    """
    import torch

    from distill.models.small.mean_states import MeanStates, MeanStatesConfig
    from distill.models.small.over_encoder import OverEncoder

    if isinstance(source, OverEncoder):
        return
    with torch.device("meta"):
        model = MeanStates(MeanStatesConfig(**inner_sizes(source)))
    _require_whole(model.encoder.state_dict().keys() - source.base_model.state_dict().keys(), "family")


def take_encoder(model: OverEncoder, source: PreTrainedModel, lesson: Lesson) -> None:
    """Give a model the encoder of its source. Raises: UserError when weights of it would stay random."""
    missing, _ = model.encoder.load_state_dict(source.base_model.state_dict(), strict=False)
    _require_whole(missing, str(lesson.source))


def _require_whole(missing: Iterable[str], where: str) -> None:
    if lost := sorted(name for name in missing if not name.startswith("pooler.")):  # what no feature passes through
        raise UserError(
            "the source lacks weights of its family's encoder, so its features would be random",
            where=where,
            found=f"{len(lost)} missing, first {lost[0]}",
            do="take an encoder of another family, or a model of the family encoder",
        )


def word_embeddings(model: PreTrainedModel, width: int | None) -> Tensor:
    """A model's input embeddings (V, H), or their first `width` principal components (V, width), at most H."""
    import torch

    table: Tensor = model.get_input_embeddings().weight.detach()  # type: ignore[operator]
    if width is None or width >= table.shape[1]:
        return table.clone()
    centred = (table - table.mean(0)).double()
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    directions = vectors[:, -width:].flip(1)
    directions *= directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()  # an axis has two directions
    components: Tensor = (centred @ directions).float()
    return components


def idf(lesson: Lesson, view: View, vocabulary: int) -> NDArray[np.float32]:
    """The weight of each token id, float32 (V,): ln((1+N)/(1+n)) + 1 for one that n of N training rows have.

    Special tokens weigh nothing. At most 20,000 rows are read.
    """
    renderer = view.renderer()
    rows = sample_records(lesson.records, "train", min(_MOST_ROWS, count_records(lesson.records, "train")), lesson.seed)
    encoded = renderer.encode_batch([row.fields for row in rows])
    having = Counter(token for one in encoded for token in {i for window in one.windows for i in window.ids})
    counts = np.array([having[token] for token in range(vocabulary)])
    weights = np.log((1 + len(rows)) / (1 + counts)) + 1
    special = [number for number, token in renderer.tokenizer.get_added_tokens_decoder().items() if token.special]
    weights[[number for number in special if number < vocabulary]] = 0
    return weights.astype(np.float32)
