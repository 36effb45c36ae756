"""Which backend teachers label with is told by a flag or by each of them, and checked before anything is trained."""

import pytest
from typer.main import get_command

from distill.cli.app import app
from distill.cli.options import Options
from distill.core.errors import UserError
from distill.pipeline.backends import require_backends, with_backend
from distill.pipeline.settings import resolve_settings


def test_a_flag_sets_every_teachers_backend_and_nothing_else(planted):
    settings = resolve_settings(planted, planted.parent / "nowhere")
    assert with_backend(settings, None) is settings
    changed = with_backend(settings, "onnx")
    assert {entry.labelling.backend for entry in changed.teachers.values()} == {"onnx"}
    for name, entry in settings.teachers.items():
        as_before = changed.teachers[name].labelling.model_copy(update={"backend": "torch"})
        assert as_before == entry.labelling
    with pytest.raises(UserError, match=r"(?s)--backend.*openvino"):
        with_backend(settings, "openvno")


def test_every_verb_that_may_label_takes_the_flag_as_labelling_does(planted, tmp_path):
    settings = Options(config=planted, out=tmp_path / "run", backend="onnx").settings()
    assert {entry.labelling.backend for entry in settings.teachers.values()} == {"onnx"}
    root = get_command(app)
    taken = {
        option: {verb for verb, command in [("", root), *root.commands.items()] if option in names(command)}
        for option in ("--backend", "--engine")
    }
    assert taken["--backend"] == taken["--engine"] >= {"", "label", "select", "train", "evaluate", "sweep"}


def names(command):
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["backend=onxn"], r"(?s)labelling\.backend.*onnx"),
        (["backend=onnx", "unpadded=true"], r"(?s)labelling\.unpadded.*backend onnx.*torch"),
        (["backend=onnx", "precision=bf16"], r"(?s)labelling\.precision.*bf16, with backend onnx.*fp32"),
    ],
)
def test_a_teacher_that_cannot_label_so_is_named_before_anything_is_trained(planted, sets, said):
    known = resolve_settings(planted, planted.parent / "nowhere")
    require_backends(known)
    name = next(iter(known.teachers))
    given = [f"teachers.{name}.labelling.{one}" for one in sets]
    with pytest.raises(UserError, match=said):
        require_backends(resolve_settings(planted, planted.parent / "nowhere", sets=given))


@pytest.mark.parametrize(("preset", "own"), [("mlp", "frozen_mlp"), ("encoder_lstm", "encoder_lstm"), ("lstm", "lstm")])
def test_a_family_that_reads_padded_batches_alone_is_named_too(planted, preset, own):
    given = f"teachers={{other: {{preset: {preset}, labelling: {{unpadded: true}}}}}}"
    settings = resolve_settings(planted, planted.parent / "nowhere", sets=[given], until="label")
    with pytest.raises(UserError, match=rf"(?s)teachers\.other\.labelling\.unpadded.*family {own}"):
        require_backends(settings)
