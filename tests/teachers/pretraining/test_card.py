import pytest

from distill.core.files import read_json, sha256
from teachers.pretraining.card import write_card
from teachers.pretraining.pretrain import Inputs, pretrain
from tests.teachers.pretraining.shop import shop_config


@pytest.fixture(scope="module")
def folder(store, start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    pretrain(shop_config(), Inputs(store, start), 7, 1, folder)
    return folder


def test_the_card_names_shape_texts_recipe_curve_and_hashes(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "2 layers, 16 wide, 2 heads" in card and "Seed 7." in card
    assert "| `shop` | 120 | ours |" in card and "| `news` | 8 | – |" in card
    assert "learning_rate: 0.003" in card and "max_steps: 12" in card
    for point in read_json(folder / "training_history.json")["curve"]:
        assert f"| {point['step']} | {point['mlm_loss']:.3f} |" in card
    for name in ("model.safetensors", "heads.safetensors", "tokenizer.json", "config.json"):
        assert sha256(folder / name) in card


def test_another_file_gives_another_hash(folder, store):
    before = (folder / "README.md").read_text(encoding="utf-8")
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    write_card(shop_config(), store, folder, parameters=5, seed=7)
    assert (folder / "README.md").read_text(encoding="utf-8") != before


def test_a_run_that_goes_on_from_another_tells_of_it(folder, store, tmp_path):
    pretrain(shop_config(checkpoint=str(folder)), Inputs(store, folder), 8, 1, tmp_path)
    first, second = read_json(folder / "training_history.json"), read_json(tmp_path / "training_history.json")
    assert first["before"] == []
    assert second["before"] == [
        {name: first[name] for name in ("rows", "held_out", "steps", "curve")}
        | {"weights": sha256(folder / "model.safetensors")}
    ]
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "The run before: 12 steps on 112 rows" in card and sha256(folder / "model.safetensors") in card
    assert f"checkpoint: {folder.name}" in card and str(folder.parent) not in card


def test_an_encoder_made_elsewhere_has_no_run_before(start, store, tmp_path):
    (start / "training_history.json").write_text('{"history": []}')
    try:
        pretrain(shop_config(), Inputs(store, start), 8, 1, tmp_path)
    finally:
        (start / "training_history.json").unlink()
    assert read_json(tmp_path / "training_history.json")["before"] == []
