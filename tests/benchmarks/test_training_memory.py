"""Memory of training beside the model."""

from benchmarks.training_memory import Size, rows_take


def test_a_pool_is_not_held_in_memory(tmp_path):
    """As Python objects a row of twelve words took 5 KB, 200 MB in all; what is encoded at once takes 50."""
    found = rows_take(40_000, Size(words=12), tmp_path)
    assert found["rows_bytes"] < 40_000 * 2500 and found["peak_bytes"] - found["rows_bytes"] == found["few_rows_bytes"]
    weights = (tmp_path / "40000" / "student" / "model.safetensors").stat().st_size
    assert 0.9 * weights < found["model_bytes"] < weights and found["optimiser_bytes"] == 2 * found["model_bytes"]
    assert found["beside_bytes"] == found["peak_bytes"] - 3 * found["model_bytes"]
