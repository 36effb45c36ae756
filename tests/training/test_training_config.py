import pytest

from distill.training.config import TrainingConfig


@pytest.mark.parametrize(("width", "rate"), [(768, 1.77e-5), (384, 5e-5), (128, 2.6e-4), (3072, 2.21e-6)])
def test_without_a_rate_a_narrower_encoder_gets_a_higher_one(width, rate):
    assert TrainingConfig().for_width(width).learning_rate == pytest.approx(rate, rel=0.01)


def test_a_given_rate_stands():
    config = TrainingConfig(learning_rate=2e-5, epochs=7)
    assert config.for_width(64) == config
    assert TrainingConfig(epochs=7).for_width(64).epochs == 7
