"""Where bundles lie: on this machine, behind https, in a bucket of S3."""

from __future__ import annotations

import ipaddress
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ecgan.data.fetch.transfer import Resuming, TransferError
from ecgan.errors import ConfigError, DataError
from ecgan.files import reading

MAX_BYTES = 16 * 2**30
NAME = "bundle.zip"


def is_address(place: str) -> bool:
    """Whether a place is an address rather than a path."""
    return "://" in place


@contextmanager
def local(place: str) -> Iterator[Path]:
    """Hand out a path on this machine; what lies behind an address is there for the length of the block.

    Args:
        place: a path, ``https://…``, or ``s3://<bucket>/<key>``; ``http://`` for this very machine only, since nobody
            can tell who answers otherwise.

    Raises:
        ConfigError: when the address is of another kind, or a library is missing for it.
        DataError: when nothing can be had from there.
    """
    if not is_address(place):
        yield Path(place)
        return
    scheme = urlsplit(place).scheme.lower()
    getters = {"https": _from_web, "http": _from_web, "s3": _from_s3}
    if scheme not in getters:
        raise ConfigError(f"{place} is no place that bundles are read from; give a path, https://… or s3://….")
    with tempfile.TemporaryDirectory(prefix="ecgan-") as folder:
        path = Path(folder) / NAME
        getters[scheme](place, path)
        yield path


def _from_web(address: str, path: Path) -> None:
    import requests

    def within(done: int, total: int | None) -> None:
        if max(done, total or 0) > MAX_BYTES:
            raise TransferError(f"it is larger than {MAX_BYTES:,} bytes")

    with requests.Session() as session:
        session.mount("http://", _encrypted_only())
        download = Resuming(session, path.with_name("part"), False, within, threading.Event())
        try:
            download(address, str(path), None)
        except TransferError as error:
            raise DataError(f"Cannot download {address} ({error}); check the address.") from error


def _encrypted_only() -> Any:
    """What serves ``http://``, after redirections too: nothing but this very machine."""
    from requests import RequestException
    from requests.adapters import HTTPAdapter

    class UnencryptedError(RequestException):
        """An address that does not begin with https."""

    class Loopback(HTTPAdapter):
        """Sends to this machine only."""

        def send(self, request: Any, *arguments: Any, **settings: Any) -> Any:
            if not _is_loopback(urlsplit(request.url).hostname or ""):
                raise UnencryptedError
            return super().send(request, *arguments, **settings)

    return Loopback()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_s3(address: str, path: Path) -> None:
    try:
        from botocore.exceptions import BotoCoreError, ClientError
        from s3fs import S3FileSystem
    except ImportError as error:
        raise ConfigError("s3:// needs another library; install it with: python -m pip install 'ecgan[s3]'.") from error
    key = address.partition("://")[2]
    try:
        with reading(Path(key)):
            files = S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
            if files.info(key)["size"] > MAX_BYTES:
                raise DataError(f"{address} is larger than {MAX_BYTES:,} bytes; no bundle is.")
            files.get_file(key, str(path))
    except (BotoCoreError, ClientError, ValueError) as error:
        raise DataError(f"Cannot download {address} ({_first_line(error)}); check address and credentials.") from error
    if not path.is_file():
        raise DataError(f"{address} is no zip file; name the bundle's file.")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
