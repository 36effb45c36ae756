"""Files that many machines see: whole or not at all, and named errors where the storage fails."""

from __future__ import annotations

import re

import fsspec
import pytest

from distill.core.errors import UserError
from distill.core.storage import Bucket, storage
from tests.s3_server import s3_server, unknown_to_clients
from tests.shaky_storage import Shaky


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server:
        yield server


def _file(folder, text):
    path = folder / "file"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["s3", "memory", "file", "path"])
def test_files_are_put_listed_read_and_removed(kind, s3, tmp_path):
    urls = {"s3": f"{s3.bucket}/run", "memory": "memory://run", "file": f"file://{tmp_path}/shared"}
    place = storage(urls.get(kind, f"{tmp_path}/shared")) / "labels"
    assert place.names() == set()
    place.require(tmp_path)
    for name, text in (("a", "first"), ("in/b", "второй"), ("in/c", "third"), ("a", "again")):
        place.put(_file(tmp_path, text), name)
    assert place.names() == {"a", "in/b", "in/c"}
    place.get("a", tmp_path / "got")
    assert (tmp_path / "got").read_text() == "again"
    with place.opened("in/b") as file:
        file.seek(2)
        assert file.read().decode() == "торой"
    place.remove("in")
    place.remove("in")
    assert place.names() == {"a"}
    place.remove("a")


def test_a_refusing_bucket_a_missing_one_and_missing_keys_are_named(s3, tmp_path, monkeypatch):
    place = storage(f"{s3.bucket}/run")
    with s3.refusing(), pytest.raises(UserError, match=r"refuses access\n.*s3://bucket/run[\s\S]*rights to list"):
        place.require(tmp_path)
    with pytest.raises(UserError, match=r"no such bucket[\s\S]*s3://elsewhere/run"):
        storage("s3://elsewhere/run").require(tmp_path)
    with pytest.raises(UserError, match="no such bucket or file"):
        place.get("nothing", tmp_path / "got")
    assert not (tmp_path / "got").exists()
    unknown_to_clients(monkeypatch)
    with pytest.raises(UserError, match=r"no credentials[\s\S]*AWS_ACCESS_KEY_ID"):
        storage(f"{s3.bucket}/run").names()


def test_what_no_package_knows_or_none_is_installed_for_is_named():
    with pytest.raises(UserError, match=r"unknown storage[\s\S]*where: zz://bucket"):
        storage("zz://bucket")
    fsspec.register_implementation("gs", "no_such_package.Files", errtxt="Install it", clobber=True)
    with pytest.raises(UserError, match=re.escape("pip install 'gcsfs'")):
        storage("gs://bucket")


def test_a_connection_that_drops_is_tried_again_and_given_up_in_the_end(tmp_path):
    waits: list[float] = []
    place = Bucket("shaky://run", waits.append)
    Shaky.drops = 2
    place.put(_file(tmp_path, "whole"), "a")
    Shaky.drops = 4
    place.get("a", tmp_path / "got")
    assert (tmp_path / "got").read_text() == "whole" and waits == [0.5, 1, 0.5, 1, 2, 4]
    Shaky.drops = 9
    with pytest.raises(UserError, match=r"does not answer, tried 5 times[\s\S]*Connection reset by peer[\s\S]*is kept"):
        place.get("a", tmp_path / "other")
    Shaky.drops = 0
    assert {path.name for path in tmp_path.iterdir()} == {"file", "got"}


class Coded(Exception):
    """As of packages that give HTTP's code. Attributes: it, by whatever name."""

    def __init__(self, **code):
        super().__init__("no rights")
        vars(self).update(code)


@pytest.mark.parametrize(
    "error",
    [
        OSError("Forbidden: https://storage.googleapis.com/b\nno storage.objects.list"),
        Coded(code=401),
        Coded(status=403),
        Coded(status_code=403),
    ],
)
def test_access_that_is_refused_is_not_tried_again(tmp_path, monkeypatch, error):
    place = Bucket("shaky://run", pytest.fail)
    monkeypatch.setattr(Shaky, "error", error)
    monkeypatch.setattr(Shaky, "drops", 1)
    with pytest.raises(UserError, match=r"refuses access[\s\S]*rights to list"):
        place.put(_file(tmp_path, "whole"), "a")


def test_a_full_disk_here_is_no_fault_of_the_storage(tmp_path, monkeypatch):
    place = Bucket("shaky://run", pytest.fail)
    place.put(_file(tmp_path, "whole"), "a")
    monkeypatch.setattr(Shaky, "error", OSError(28, "No space left on device"))
    Shaky.drops = 1
    with pytest.raises(UserError, match=r"cannot write[\s\S]*got[\s\S]*free space"):
        place.get("a", tmp_path / "got")


def test_a_shared_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "shared").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write[\s\S]*shared"):
        storage(f"{tmp_path}/shared").put(_file(tmp_path, "x"), "a")
