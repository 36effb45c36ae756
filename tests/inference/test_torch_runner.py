import numpy as np
import pytest
import torch
import transformers

from distill.core.errors import UserError
from distill.core.rendering import Window
from distill.inference.collate import collate
from distill.inference.torch_runner import TorchRunner
from distill.inference.unpadded_runner import UnpaddedRunner
from distill.models.encoder import load_classifier


def _batch(lengths, high=100):
    rng = np.random.default_rng(1)
    windows = [Window(rng.integers(5, high, n).tolist(), [0] * (n // 2) + [1] * (n - n // 2)) for n in lengths]
    return collate(windows, 0)


def _reference(folder, batch):
    with torch.no_grad():
        return load_classifier(folder)(
            **{name: torch.from_numpy(array) for name, array in batch.items()}
        ).logits.numpy()


@pytest.mark.parametrize("first_token_only", [True, False])
@pytest.mark.parametrize("lengths", [[1], [9], [21, 5, 5]], ids=str)
def test_logits_are_the_models(folder, lengths, first_token_only):
    runner = TorchRunner(folder, first_token_only=first_token_only)
    logits = runner.logits(_batch(lengths))
    assert runner.first_token_only == first_token_only
    assert logits.dtype == np.float32 and logits.shape == (len(lengths), 3)
    np.testing.assert_allclose(logits, _reference(folder, _batch(lengths)), atol=1e-5)


def test_token_types_reach_the_model(folder):
    batch, runner = _batch([9, 4]), TorchRunner(folder)
    swapped = batch | {"token_type_ids": 1 - batch["token_type_ids"]}
    assert np.abs(runner.logits(batch) - runner.logits(swapped)).max() > 1e-4


def test_token_types_are_dropped_where_there_are_none(tmp_path):
    config = transformers.RobertaConfig(
        vocab_size=120,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=16,
        num_hidden_layers=1,
        max_position_embeddings=30,
        type_vocab_size=1,
        num_labels=3,
    )
    transformers.RobertaForSequenceClassification(config).save_pretrained(tmp_path)
    assert np.isfinite(TorchRunner(tmp_path).logits(_batch([6, 3]))).all()


@pytest.mark.parametrize("kind", [TorchRunner, UnpaddedRunner])
@pytest.mark.parametrize(("given", "kept"), [({}, 1), ({"exact_layers": 2}, 2)])
def test_on_a_processor_a_last_layer_of_one_token_stays_float32_under_bf16(folder, kind, given, kept):
    runner = kind(folder, precision="bf16", **given)
    batch, model = _batch([12, 9, 5]), runner._model
    np.testing.assert_allclose(runner.logits(batch), _reference(folder, batch), atol=0.05)
    layers = [layer.attention.self.key.weight.dtype for layer in model.bert.encoder.layer]
    assert layers == [torch.bfloat16] * (len(layers) - kept) + [torch.float32] * kept


def test_bf16_is_close_and_keeps_fine_steps(folder):
    batch = _batch([12, 9, 7, 5])
    exact, mixed = (TorchRunner(folder, precision=precision).logits(batch) for precision in ("fp32", "bf16"))
    assert mixed.dtype == np.float32
    assert 1e-6 < np.abs(exact - mixed).max() < 0.05 * np.abs(exact).max()
    rounded = torch.from_numpy(mixed).bfloat16().float().numpy()
    assert (rounded != mixed).mean() > 0.5, "the logits themselves were rounded to bf16"


def test_threads_are_set(folder):
    before = torch.get_num_threads()
    try:
        TorchRunner(folder, threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_nan_is_returned(folder, tmp_path):
    model = load_classifier(folder)
    torch.nn.init.constant_(model.classifier.bias, float("nan"))
    model.save_pretrained(tmp_path)
    assert np.isnan(TorchRunner(tmp_path).logits(_batch([4]))).all()


def test_too_long_input_is_named(folder):
    TorchRunner(folder).logits(_batch([512]))
    with pytest.raises(UserError, match="513 tokens, at most 512"):
        TorchRunner(folder).logits(_batch([513]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_absent_device_is_named(folder):
    with pytest.raises(UserError, match="no CUDA device"):
        TorchRunner(folder, device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("first_token_only", [True, False])
def test_cuda_answers_as_the_processor(folder, first_token_only):
    batch = _batch([40, 12, 9, 7, 5])
    exact = TorchRunner(folder, first_token_only=first_token_only).logits(batch)
    for precision, tolerance in (("fp32", 1e-4), ("bf16", 0.05)):
        runner = TorchRunner(folder, precision=precision, device="cuda", first_token_only=first_token_only)
        assert runner.first_token_only == first_token_only
        logits = runner.logits(batch)
        assert logits.dtype == np.float32
        assert np.abs(logits - exact).max() < tolerance * np.abs(exact).max()
