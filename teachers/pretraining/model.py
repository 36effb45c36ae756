"""An encoder with the heads that it is pre-trained with, and their losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel

from distill.core.files import read_json, write_json
from distill.models.encoder import input_names
from distill.models.quiet_transformers import quiet_transformers
from distill.training.masking import IGNORED
from teachers.pretraining.embedding_teacher import mean_over

HEADS_FILE = "heads.safetensors"


class PretrainingModel(nn.Module):
    """Predicts masked words, which tokens both sides have, and whether the sides are a pair.

    The heads' attributes are also their names in `heads.safetensors`: `guess` and `bias` predict masked words, `judge`
    pairs, `find` and `cover` the overlap of tokens, `project` the embedding teacher's embeddings.

    Args: encoder: any encoder of transformers. teacher_width: D of the embedding teacher, None without one.
    """

    def __init__(self, encoder: PreTrainedModel, teacher_width: int | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        width, (vocabulary, inner) = encoder.config.hidden_size, self._table.shape
        self.guess = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.LayerNorm(inner))
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.judge, self.find, self.cover = nn.Linear(width, 1), nn.Linear(width, 1), nn.Linear(width, 2)
        self.project = nn.Linear(width, teacher_width) if teacher_width else None
        self._names = input_names(encoder)

    def forward(
        self,
        mlm: Tensor,
        pair_matching: Tensor,
        token_overlap: Tensor,
        overlap_shares: Tensor,
        embeddings: Tensor | None = None,
        **inputs: Tensor,
    ) -> dict[str, Tensor]:
        """Losses and counts of one batch.

        Args: mlm: int64 (B, S), -100 where no word is masked. pair_matching: float (B,), 1, 0 or -1 for single texts.
            token_overlap: float (B, S), 1, 0 or -1 for tokens that do not count. overlap_shares: float (B, 2).
            embeddings: float (2B, D) of the left, then the right sides. inputs: of the encoder, sides (B, S), and
            present (2B,).
        Returns: scalars `mlm_loss`, `pair_matching_loss`, `token_overlap_loss`, with embeddings also `hidden_loss` and
            `relation_loss`, and the counts `mlm_count`, `mlm_right`, `pair_matching_count`, `pair_matching_right`.
        """
        output = self.encoder(**{name: inputs[name] for name in self._names})
        hidden = output.last_hidden_state
        pooled = getattr(output, "pooler_output", None)
        pooled = hidden[:, 0] if pooled is None else pooled
        terms = {
            **self._mlm(hidden, mlm),
            **self._pair_matching(pooled, pair_matching),
            "token_overlap_loss": self._token_overlap(hidden, pooled, token_overlap, overlap_shares, pair_matching),
        }
        if embeddings is not None and self.project is not None:
            terms |= self._embeddings(hidden, inputs, embeddings)
        return terms

    @property
    def _table(self) -> Tensor:
        """The input embeddings, (V, E); ELECTRA, MobileBERT and RemBERT have an E other than H."""
        table: Tensor = self.encoder.get_input_embeddings().weight  # type: ignore[assignment]
        return table

    def _mlm(self, hidden: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Cross-entropy of the masked words, the decoder being the input embeddings (arXiv:1608.05859)."""
        places = targets != IGNORED
        table = self._table
        logits = nn.functional.linear(self.guess(hidden[places]), table, self.bias.to(table.dtype)).float()
        total = nn.functional.cross_entropy(logits, targets[places], reduction="sum")
        count = places.sum()
        right = (logits.argmax(-1) == targets[places]).sum()
        return {"mlm_loss": total / count.clamp(min=1), "mlm_count": count, "mlm_right": right}

    def _pair_matching(self, pooled: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Binary cross-entropy over the rows that have two sides."""
        paired = (targets >= 0).float()
        logits = self.judge(pooled).squeeze(-1).float()
        each = _cross_entropy(logits, targets)
        right = (((logits > 0) == (targets > 0.5)) & (targets >= 0)).sum()
        count = paired.sum()
        loss = (each * paired).sum() / count.clamp(min=1)
        return {"pair_matching_loss": loss, "pair_matching_count": count, "pair_matching_right": right}

    def _token_overlap(
        self, hidden: Tensor, pooled: Tensor, overlap: Tensor, overlap_shares: Tensor, pair_matching: Tensor
    ) -> Tensor:
        """Cross-entropy of whether both sides have a token, plus that of the share of such tokens on each side.

        The first is a target for every token, which the attention heads that compare sides learn within a hundred
        steps; the second carries it to the pooled state. Without them pair matching stayed at chance for 1,500 steps of
        32 pairs at 12 layers x 128; with them it reached 72% within 200.
        """
        asked, paired = (overlap >= 0).float(), (pair_matching >= 0).float()
        tokens = _cross_entropy(self.find(hidden).squeeze(-1), overlap)
        shares = _cross_entropy(self.cover(pooled), overlap_shares).mean(-1)
        each = (tokens * asked).sum() / asked.sum().clamp(min=1)
        return each + (shares * paired).sum() / paired.sum().clamp(min=1)

    def _embeddings(self, hidden: Tensor, inputs: dict[str, Tensor], embeddings: Tensor) -> dict[str, Tensor]:
        """Distance of the sides' embeddings to the embedding teacher's, one by one and in their similarities.

        hidden_loss = mean of 1 − cos(W·s_i, t_i); relation_loss = mean over i ≠ j of (cos(s_i, s_j) − t_i·t_j)², with
        s_i the mean of a side's last hidden states and t_i the given embedding.
        Source: Park et al. 2019, Relational Knowledge Distillation, arXiv:1904.05068, with cosines for distances.
        """
        assert self.project is not None
        side, mask = inputs["sides"], inputs["attention_mask"]
        sides = torch.cat([mean_over(hidden, mask * (side == one)) for one in (0, 1)])[inputs["present"]].float()
        given = embeddings[inputs["present"]]
        apart = 1 - nn.functional.cosine_similarity(self.project(sides).float(), given)
        units = nn.functional.normalize(sides, dim=-1)
        others = ~torch.eye(len(units), dtype=torch.bool, device=units.device)
        relation = ((units @ units.T - given @ given.T) ** 2)[others]
        return {"hidden_loss": apart.mean(), "relation_loss": relation.mean() if relation.numel() else apart.sum() * 0}


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of each element against a target in [0, 1]; negative targets count as 0."""
    return nn.functional.binary_cross_entropy_with_logits(logits.float(), target.clamp(min=0), reduction="none")


def load(folder: Path, teacher_width: int | None = None) -> PretrainingModel:
    """The encoder of a Hugging Face folder, float32, with the heads stored in it, or fresh ones."""
    with quiet_transformers():
        encoder = AutoModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    model = PretrainingModel(encoder, teacher_width)
    if (folder / HEADS_FILE).is_file():
        stored = load_file(folder / HEADS_FILE)
        own = model.state_dict()
        fitting = {
            name: value.float() for name, value in stored.items() if own.get(name, value[:0]).shape == value.shape
        }
        model.load_state_dict(fitting, strict=False)
    return model


def save(model: PretrainingModel, folder: Path, *, half: bool) -> None:
    """Write a Hugging Face folder that loads as float32, whatever it is stored as, and the heads."""
    dtype = torch.float16 if half else torch.float32
    heads = {name: value.to(dtype) for name, value in model.state_dict().items() if not name.startswith("encoder.")}
    save_file({name: value.contiguous() for name, value in heads.items()}, folder / HEADS_FILE)
    with quiet_transformers():
        torch.nn.Module.to(model.encoder, dtype)
        model.encoder.save_pretrained(folder)
    config: dict[str, Any] = read_json(folder / "config.json")
    write_json(folder / "config.json", {**config, "dtype": "float32"})
