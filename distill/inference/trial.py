"""A checkpoint tried in seconds, in every way that a run will use it, before anything is trained."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from distill.core.errors import UserError
from distill.core.leftovers import temporary_folder
from distill.core.objectives.objective import Objective
from distill.core.project import ViewConfig
from distill.core.rendering import Renderer, Window
from distill.core.view import TOKENIZER_FILE, View, too_long
from distill.inference.collate import collate
from distill.models.encoder import input_names, load_classifier, position_limit
from distill.models.encoder_config import CONFIG, first_line, settle_padding
from distill.models.first_token import first_token_only
from distill.models.pretrained import save_tokenizer
from distill.models.quiet_transformers import quiet_transformers
from distill.models.truncation import keep_layers, shared_copy
from distill.models.weights_check import require_embeddings, require_finite

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Of the largest number: float noise is 1e-6. ConvBERT's filters, which read padding, move a hidden state by 1e-1.
_NOISE = 1e-3
_NEIGHBOUR = 16  # tokens of the row beside which shorter ones are padded


@dataclass(frozen=True)
class Trial:
    """What a run will ask of a checkpoint.

    Attributes:
        labels, objective: what its head is for. views: what is read, by key in the project (`views.card`).
        cuts: by student, the layers that are kept, given their number. require: further checks of the loaded model.
        fresh_head: whether its head is trained, so that it needs none of its own.
    """

    labels: Sequence[str]
    objective: Objective
    views: Mapping[str, ViewConfig]
    cuts: Mapping[str, Callable[[int], Sequence[int]]]
    require: Sequence[Callable[[PreTrainedModel], None]] = ()
    fresh_head: bool = True


def try_checkpoint(source: Path, trial: Trial) -> str:
    """Load a checkpoint and use it as the run will; returns what it is, in a few words.

    Tried are its config, tokenizer, weights, embeddings and padding token, a row of the greatest length of each view
    before and after a short one, segment ids, rows alone and beside longer ones, the first-token form, and every cut,
    saved and loaded again.

    Raises: UserError for the first of these that does not hold.
    """
    with temporary_folder() as folder, torch.random.fork_rng(devices=[]), torch.no_grad(), quiet_transformers():
        shutil.copyfile(source / CONFIG, folder / CONFIG)
        save_tokenizer(source, folder)
        settle_padding(folder)
        model = load_classifier(source, trial.labels, trial.objective, fresh_head=trial.fresh_head)
        renderers = {key: View(key, view, folder / TOKENIZER_FILE).renderer() for key, view in trial.views.items()}
        tokenizer = next(iter(renderers.values())).tokenizer
        require_finite(model, str(source))
        require_embeddings(model, tokenizer, str(source))
        for check in trial.require:
            check(model)
        subject = Subject(model, str(source), next(iter(renderers.values())).pad_id)
        read = 0
        for key, renderer in sorted(renderers.items(), key=lambda item: -trial.views[item[0]].max_tokens):
            tokens = trial.views[key].max_tokens
            _require_view(subject, key, renderer, tokens if tokens > read else 0)
            read = max(read, tokens)
        rows = _rows(next(iter(renderers.values())))
        subject.require_own_answers(rows)
        subject.require_own_answers(_half_and_whole(max(map(_longest, renderers.values()), key=_tokens)))
        subject.require_first_token(rows)
        for student, layers in trial.cuts.items():
            require_cut(subject, student, layers(model.config.num_hidden_layers), rows[:-1], folder / "cut")
        return _description(model, tokenizer, subject.pad_id)


class Subject:
    """A classifier that is being tried. Attributes: where: named in messages."""

    def __init__(self, model: PreTrainedModel, where: str, pad_id: int) -> None:
        self.model, self.where, self.pad_id = model, where, pad_id
        self.names = input_names(model)
        self.family = f"model_type '{model.config.model_type}'"

    def inputs(self, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
        """The windows as the model reads them, padded to the longest."""
        batch = collate(windows, self.pad_id)
        return {name: torch.from_numpy(batch[name]) for name in self.names}

    def logits(self, windows: Sequence[Window]) -> torch.Tensor:
        """(B, C). Raises: whatever the model raises."""
        logits: torch.Tensor = self.model(**self.inputs(windows)).logits
        return logits

    def refusal(self, what: str, found: object, do: str) -> UserError:
        """An error that names the checkpoint."""
        return UserError(what, where=self.where, found=f"{self.family}: {found}", do=do)

    def require_own_answers(self, rows: Sequence[Window]) -> None:
        """Check that rows are answered alike alone and padded to the last one. Raises: UserError with the gap."""
        together, hidden = self._states(rows)
        for index, row in enumerate(rows[:-1]):
            alone, own = self._states([row])
            gaps = [_gap(alone, together[index : index + 1])]
            if own is not None and hidden is not None and own.shape[1] == len(row.ids):
                gaps.append(_gap(own, hidden[index : index + 1, : len(row.ids)]))
            if not max(gaps) <= _NOISE:
                raise self.refusal(
                    "a row's answer depends on what shares its batch",
                    f"{max(gaps):.1%} between a row alone and the same row padded",
                    "take an encoder whose attention mask hides padding (docs/families.md)",
                )

    def _states(self, rows: Sequence[Window]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Logits (B, C) and the last hidden states (B, S, H), where the family gives them."""
        output: Any = self.model(**self.inputs(rows), output_hidden_states=True)
        hidden = output.get("hidden_states")
        return output.logits, hidden[-1] if hidden else None

    def require_first_token(self, rows: Sequence[Window]) -> None:
        """Check that the faster last layer, where it is used, answers as the whole one. Raises: UserError."""
        fast = shared_copy(self.model)
        if first_token_only(fast) and not _gap(self.logits(rows), fast(**self.inputs(rows)).logits) <= _NOISE:
            raise self.refusal(
                "the last layer computed for the first token answers otherwise than the whole one",
                "this encoder is built like BERT and is none",
                "take an encoder of another family (docs/families.md)",
            )


def _require_view(subject: Subject, key: str, renderer: Renderer, max_tokens: int) -> None:
    """Check that the model reads a row without text, and one of `max_tokens`, where that is not 0, before and after it.

    Raises: UserError naming the view.
    """
    longest = _longest(renderer)
    logits, too_many = _attempt(subject, longest) if max_tokens else (None, None)
    _, error = _attempt(subject, renderer.encode({}).windows[0])
    if error is not None:
        do = "take an encoder that is known to work (docs/families.md)"
        raise subject.refusal("the model cannot read a row", first_line(error), do) from error
    limit = position_limit(subject.model)
    if limit is not None and limit < max_tokens:
        raise too_long(key, max_tokens, limit, subject.where)
    if too_many is not None:
        raise too_long(key, max_tokens, _readable(subject, longest), subject.where) from too_many
    if logits is None:
        return
    if not torch.isfinite(logits).all():
        raise subject.refusal("the model's answers are not finite", "NaN or infinity", "take other weights")
    _require_repeated(subject, longest, logits)


def _require_repeated(subject: Subject, window: Window, logits: torch.Tensor) -> None:
    """Check that a row is answered as it was before, with `logits`. Raises: UserError with the gap."""
    if not (gap := _gap(logits, subject.logits([window]))) <= _NOISE:
        raise subject.refusal(
            "a row's answer depends on the rows before it",
            f"{gap:.1%} between a row before and after a shorter one",
            "take an encoder of another family (docs/families.md)",
        )


def _attempt(subject: Subject, window: Window) -> tuple[torch.Tensor | None, Exception | None]:
    """The logits of a row, or why there are none."""
    try:
        return subject.logits([window]), None
    except Exception as error:  # each family fails in its own way
        return None, error


def _readable(subject: Subject, window: Window) -> int:
    """The most tokens of a window that the model can read, of a window that it cannot read as a whole."""
    low, high = 0, len(window.ids)
    while high - low > 1:
        middle = (low + high) // 2
        _, error = _attempt(subject, Window(window.ids[:middle], window.type_ids[:middle]))
        low, high = (low, middle) if error else (middle, high)
    return low


def require_cut(subject: Subject, student: str, layers: Sequence[int], rows: Sequence[Window], folder: Path) -> None:
    """Check that the model can be cut to these layers, saved and loaded again.

    Args: folder: where it is saved meanwhile. Raises: UserError naming the student.
    """
    small = shared_copy(subject.model)
    try:
        keep_layers(small, layers)
        before = small(**subject.inputs(rows)).logits
        small.save_pretrained(folder)
        again = load_classifier(folder)
        gap = _gap(before, again(**subject.inputs(rows)).logits)
    except Exception as error:
        found, do = first_line(error), "take an encoder whose layers stand in one list (docs/families.md)"
        if isinstance(error, UserError):
            found, do = f"{error.what}: {error.found}", error.do or do
        what = f"the encoder cannot be cut to the layers of '{student}'"
        raise UserError(what, where=subject.where, found=found, do=do) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not gap <= _NOISE:
        raise subject.refusal(
            f"cut to the layers of '{student}', saved and loaded again, it answers otherwise",
            f"{gap:.1%}",
            "take an encoder of another family (docs/families.md)",
        )


def _rows(renderer: Renderer) -> list[Window]:
    """A row without text, a short one, and one that both are padded to."""
    longest = _longest(renderer)
    empty = renderer.encode({}).windows[0]
    short = renderer.encode(_filled(renderer, 2)).windows[0]
    return [empty, short, Window(longest.ids[:_NEIGHBOUR], longest.type_ids[:_NEIGHBOUR])]


def _longest(renderer: Renderer) -> Window:
    """A row of as many tokens as the view reads."""
    return renderer.encode(_filled(renderer, renderer.room)).windows[0]


def _half_and_whole(window: Window) -> list[Window]:
    """The first half of a row, and the row that it is padded to."""
    half = (_tokens(window) + 1) // 2
    return [Window(window.ids[:half], window.type_ids[:half]), window]


def _tokens(window: Window) -> int:
    return len(window.ids)


def _filled(renderer: Renderer, tokens: int) -> dict[str, str]:
    """A record whose every field has about so many tokens, taken from all of the vocabulary."""
    ids = sorted(renderer.tokenizer.get_vocab(with_added_tokens=False).values())
    chosen = [ids[(2 * index + 1) * len(ids) // (2 * tokens)] for index in range(tokens)]
    text = " ".join(renderer.tokenizer.decode([token_id]) for token_id in chosen)
    return dict.fromkeys([*renderer.left, *renderer.right], text)


def _gap(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference, as a part of the largest number."""
    return float((one - other).abs().max() / one.abs().max().clamp(min=1e-6))


def _description(model: PreTrainedModel, tokenizer: Any, pad_id: int) -> str:
    limit = position_limit(model)
    positions = f"{limit} positions, " if limit is not None else ""
    padding = f"padding {tokenizer.id_to_token(pad_id)!r}"
    config = model.config
    return f"{config.model_type}, {config.num_hidden_layers} layers, {positions}{config.vocab_size} tokens, {padding}"
