"""Muon for the matrices inside an encoder, AdamW for everything else, behind one optimiser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn


class MuonAdamW(torch.optim.Optimizer):
    """Orthogonalised momentum for matrices, AdamW for embeddings, biases, norms and heads; one learning rate for both.

    Muon's steps are scaled to the root mean square that AdamW's have, so the rate means the same in both parts.

    Args: matrices: 2-D parameters of hidden layers. others: the rest; those of one dimension are not decayed.
    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers"; the scale is that of Liu et al. 2025,
        arXiv:2502.16982, section 2.2.
    """

    def __init__(
        self, matrices: Iterable[nn.Parameter], others: Iterable[nn.Parameter], lr: float, weight_decay: float
    ) -> None:
        listed = list(others)
        decayed, plain = [p for p in listed if p.ndim > 1], [p for p in listed if p.ndim < 2]
        muon = torch.optim.Muon(
            list(matrices), lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw", momentum=0.95
        )
        adamw = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=lr,
            fused=True,
        )
        self._shared = False
        self._parts: tuple[torch.optim.Optimizer, ...] = (muon, adamw)
        super().__init__([{**group} for part in self._parts for group in part.param_groups], {"lr": lr})
        self._share()

    @classmethod
    def of(cls, model: nn.Module, layers: nn.Module, lr: float, weight_decay: float) -> MuonAdamW:
        """For the parameters of `model` that are trained; the matrices of its `layers` go to Muon."""
        inner = {id(weight) for weight in layers.parameters() if weight.ndim == 2}
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        matrices = [weight for weight in weights if id(weight) in inner]
        return cls(matrices, [weight for weight in weights if id(weight) not in inner], lr, weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of both parts."""
        loss = None if closure is None else closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state of both parts."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of both parts."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add weights to the part whose settings they come with; to AdamW's without any."""
        if self._shared:
            muon, adamw = self._parts
            (muon if "momentum" in param_group else adamw).add_param_group(param_group)
            self._share()
        else:
            super().add_param_group(param_group)

    def _share(self) -> None:
        """Let schedulers, which write into `param_groups`, reach both parts."""
        self._shared = True
        self.param_groups = [group for part in self._parts for group in part.param_groups]
