"""The `config.json` of an encoder, read as transformers does, with the class names and padding made plain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.objectives.objective import Objective
from distill.core.padding import find_pad
from distill.models.small.register import register
from distill.models.two_layer_head import register_headed

CONFIG = "config.json"
_OTHER_OUTPUTS = ("output_hidden_states", "output_attentions", "use_cache")
_NAMING = ("id2label", "label2id", "num_labels")
_OTHER_ENCODER = "take an encoder that AutoModelForSequenceClassification loads (docs/families.md)"
_TEXT_ALONE = (
    'save its text model by itself: python -c "from transformers import AutoModel as M, AutoTokenizer as T; '
    "M.from_pretrained('{folder}').get_decoder().save_pretrained('{folder}-text'); "
    "T.from_pretrained('{folder}').save_pretrained('{folder}-text')\" and give '{folder}-text'"
)


def read_config(folder: Path) -> Any:
    """The config of a family that has a classifier; its padding token is set where any token can be one.

    Whatever else the checkpoint was to give, logits by name are all that a forward pass gives unless it is asked.
    Class names that are not numbered 0 … C-1 are left out, see `stored_labels`.

    Attention is whole where the checkpoint asks for blocks: BigBird attends in blocks until a row is too short for
    them, and never after, so that answers would depend on the rows before.

    Raises: UserError when it cannot be read, transformers has no classifier of the family, it is an encoder-decoder, or
        it reads more than texts.
    """
    from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForSequenceClassification

    register()
    try:
        content, labels = _content(folder), stored_labels(folder)
        register_headed(str(content.get("model_type")))
        if labels is not None and isinstance(content.get("id2label"), dict | None):
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        else:
            plain = {name: value for name, value in content.items() if name not in _NAMING}
            config = CONFIG_MAPPING[str(content.get("model_type"))].from_dict(plain)
            if labels is not None:
                config.id2label = dict(enumerate(labels))
    except UserError:
        raise
    except Exception as error:
        raise UserError("cannot read the model's config", where=str(folder), found=first_line(error)) from error
    if type(config) not in AutoModelForSequenceClassification._model_mapping:
        raise _no_encoder("this family has no sequence classification in transformers", config, folder)
    if getattr(config, "is_encoder_decoder", False):
        raise _no_encoder("an encoder-decoder cannot be cut to a student: it has two stacks of layers", config, folder)
    if config.get_text_config() is not config:
        what, do = "the model reads more than texts, so its config has no layers of its own", _TEXT_ALONE
        raise _no_encoder(what, config, folder, do.format(folder=str(folder).rstrip("/")))
    if not hasattr(config, "num_hidden_layers"):
        raise _no_encoder("the family's config does not say how many layers there are", config, folder)
    if getattr(config, "attention_type", None) == "block_sparse":
        config.attention_type = "original_full"
    names = ("pad_token_id", "eos_token_id", "vocab_size")
    config.pad_token_id = find_pad({name: getattr(config, name, None) for name in names}, folder)
    for name in _OTHER_OUTPUTS:
        if getattr(config, name, False):
            setattr(config, name, False)
    config.return_dict = True
    return config


def settle_padding(folder: Path) -> None:
    """Write the padding token that `read_config` finds into the `config.json` of a folder that names another or none.

    Raises: as `read_config`.
    """
    content, found = _content(folder), read_config(folder).pad_token_id
    if content.get("pad_token_id") != found:
        write_json(folder / CONFIG, {**content, "pad_token_id": found})


def stored_labels(folder: Path) -> list[str] | None:
    """The class names of a checkpoint, in the order of its outputs; None where they are not numbered 0 … C-1.

    A checkpoint without names has transformers' own, LABEL_0 and so on.
    """
    content = _content(folder)
    names = content.get("id2label")
    if names is None:
        count = content.get("num_labels", 2)
        return no_names(count) if isinstance(count, int) and count > 0 else None
    if isinstance(names, dict):
        if set(names) != {str(index) for index in range(len(names))}:
            return None
        names = [names[str(index)] for index in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str | int) for name in names):
        return None
    return [str(name) for name in names]


def no_names(count: int) -> list[str]:
    """What transformers calls so many classes that nobody has named."""
    return [f"LABEL_{index}" for index in range(count)]


def name_outputs(config: Any, labels: list[str], objective: Objective, folder: Path) -> None:
    """Give a config these outputs, whatever the checkpoint calls its own.

    Raises: UserError when the checkpoint has the same names in another order.
    """
    stored = stored_labels(folder)
    if stored is not None and stored != labels and sorted(stored) == sorted(labels):
        raise UserError(
            "the checkpoint's classes are in another order",
            where=str(folder / CONFIG),
            found=f"{stored}, the task has {labels}",
            do="write task.labels in the checkpoint's order",
        )
    set_outputs(config, labels, objective)


def set_outputs(config: Any, labels: Sequence[str], objective: Objective) -> None:
    """Give a config these outputs."""
    config.id2label = dict(enumerate(labels))
    config.label2id = {name: index for index, name in enumerate(labels)}
    config.problem_type = objective.problem_type


def require_labels(folder: Path) -> None:
    """Check that a classifier's outputs have names in a known order. Raises: UserError showing `id2label`."""
    if stored_labels(folder) is None:
        raise UserError(
            "the classes of the model are not numbered from 0",
            where=str(folder / CONFIG),
            found=f"id2label {_content(folder).get('id2label')}",
            do='write id2label as {"0": "…", "1": "…"}, in the order of the outputs',
        )


def first_line(error: Exception) -> str:
    """What an error of another library says, in one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _content(folder: Path) -> dict[str, Any]:
    content = read_json(folder / CONFIG)
    if not isinstance(content, dict):
        raise UserError("not a JSON object", where=str(folder / CONFIG), do="restore the file")
    return content


def _no_encoder(what: str, config: Any, folder: Path, do: str = _OTHER_ENCODER) -> UserError:
    return UserError(what, where=str(folder / CONFIG), found=f"model_type '{config.model_type}'", do=do)
