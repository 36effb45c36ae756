import pytest

from teachers import embedded


@pytest.fixture
def weights(tmp_path, monkeypatch):
    (tmp_path / "weights" / "base").mkdir(parents=True)
    monkeypatch.setattr(embedded, "files", lambda package: tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "weights"


def test_an_embedded_name_a_folder_and_a_hub_id(weights, tmp_path):
    (tmp_path / "mine").mkdir()
    assert embedded.embedded_names() == ["base"]
    assert embedded.local_folder("base") == weights / "base"
    assert embedded.local_folder("mine").resolve() == tmp_path / "mine"
    assert embedded.local_folder("owner/name") is None


def test_a_folder_of_an_embedded_name_is_given_with_a_slash(weights, tmp_path):
    (tmp_path / "base").mkdir()
    assert embedded.local_folder("base") == weights / "base"
    assert embedded.local_folder("./base").resolve() == tmp_path / "base"


def test_without_weights_every_name_is_a_folder_or_a_hub_id(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "files", lambda package: tmp_path)
    assert embedded.embedded_names() == [] and embedded.local_folder("base") is None
