import pytest
from pydantic import ValidationError

from distill.training.config import TrainingConfig


@pytest.mark.parametrize(("width", "rate"), [(768, 1.77e-5), (384, 5e-5), (128, 2.6e-4), (3072, 2.21e-6)])
def test_without_a_rate_a_narrower_encoder_gets_a_higher_one(width, rate):
    assert TrainingConfig().for_width(width).learning_rate == pytest.approx(rate, rel=0.01)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"final_learning_rate": 1e-6, "learning_rate": 1e-5}, "of a run without a fixed length does not come down"),
        ({"epochs": 1, "final_learning_rate": 1e-6}, "give learning_rate too"),
        ({"epochs": 1, "final_learning_rate": 1e-5, "learning_rate": 1e-5}, "1e-05 is not below learning_rate, 1e-05"),
        (
            {"epochs": 1, "final_learning_rate": 1e-6, "learning_rate": 1e-5, "schedule": "constant_with_warmup"},
            "of schedule constant_with_warmup does not come down",
        ),
        ({"early_stopping": 2}, "without a fixed length patience ends a run"),
        ({"epochs": 2, "ema": 0.9}, "of a fixed length no average is kept"),
        ({"max_steps": 20, "ema": 0.9}, "of a fixed length no average is kept"),
    ],
)
def test_what_a_schedule_cannot_do_is_refused(values, said):
    with pytest.raises(ValidationError, match=said):
        TrainingConfig(**values)


def test_a_given_rate_stands():
    config = TrainingConfig(learning_rate=2e-5, epochs=7)
    assert config.for_width(64) == config
    assert TrainingConfig(epochs=7).for_width(64).epochs == 7
