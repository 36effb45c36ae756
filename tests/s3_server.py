"""A real S3 server on this machine, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import Request, urlopen

import pytest


@dataclass(frozen=True)
class S3:
    """Attributes: bucket: its URL. address: of the server."""

    bucket: str
    address: str

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody's key is known inside the block: every answer is 403."""
        self._allow("0")
        try:
            yield
        finally:
            self._allow("inf")

    def clear(self) -> None:
        """Remove all buckets: a server before this one in the same process has left its own."""
        self._tell("reset", "")

    def _allow(self, requests: str) -> None:
        self._tell("reset-auth", requests)

    def _tell(self, what: str, data: str) -> None:
        place, kind = f"{self.address}/moto-api/{what}", {"Content-Type": "text/plain"}
        urlopen(Request(place, data=data.encode(), method="POST", headers=kind)).close()


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server with one bucket, to which the environment leads all clients of this process and of its children."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3fs = pytest.importorskip("s3fs")
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    ours = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ours.items():
            patch.setenv(name, value)
        own = S3("s3://bucket", address)
        own.clear()
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("bucket")
        try:
            yield own
        finally:
            server.stop()
            s3fs.S3FileSystem.clear_instance_cache()


def unknown_to_clients(patch: pytest.MonkeyPatch) -> None:
    """Take the keys out of the environment."""
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.delenv(name)
    patch.setattr("botocore.credentials.SharedCredentialProvider.load", lambda self: None)
    s3fs.S3FileSystem.clear_instance_cache()
