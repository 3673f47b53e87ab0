"""Downloading raw files: several at once, checked by pooch, each in its place only when it is complete."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecgan.data.fetch.kaggle import SCHEME, KaggleFile
from ecgan.data.fetch.transfer import Resuming, TransferError
from ecgan.data.source import SUMS, Source
from ecgan.errors import DataError
from ecgan.files import explain_os_error
from ecgan.types import RemoteFile

if TYPE_CHECKING:
    import requests

    from ecgan.data.fetch.meter import Meter

log = logging.getLogger(__name__)

MARKER = ".downloading"
"""Folder below ``raw`` that is there while a download is unfinished; it holds what has come of unfinished files."""
AT_ONCE = 4


@dataclass(frozen=True)
class _Job:
    """What all downloads of one call share."""

    source: Source
    own: Path
    session: requests.Session
    meter: Meter
    stop: threading.Event


def retrieve_all(source: Source, files: Sequence[RemoteFile], own: Path) -> None:
    """Download files, a few at a time, check them, and put each one into its place when it is complete.

    Args:
        source: the data set.
        files: what to download; names and addresses have been checked.
        own: folder of the raw files.

    Raises:
        DataError: when a file cannot be had; what has come of the others stays for the next time.
    """
    import pooch
    import requests
    from rich.console import Console

    from ecgan.data.fetch.meter import Meter

    pooch.get_logger().setLevel(logging.WARNING)  # a line per file would be tens of thousands
    # the stream itself, since Kaggle's library runs with another sys.stderr
    meter = Meter(source.name, len(files), Console(file=sys.stderr))
    with requests.Session() as session, meter, ThreadPoolExecutor(AT_ONCE) as pool:
        job = _Job(source, own, session, meter, threading.Event())
        futures = [pool.submit(_get, job, file) for file in files]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # one failed, or the user has had enough
            job.stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _get(job: _Job, file: RemoteFile) -> None:
    target = job.own / file.name
    try:
        arrived = _retrieve(job, file)
        job.meter.finish(file.name, arrived.stat().st_size)
        target.parent.mkdir(parents=True, exist_ok=True)
        arrived.replace(target)
    except TransferError as error:
        ways = by_hand(job.source, file, job.own)
        raise DataError(f"Cannot download {file.url} for {job.source.name} ({error}); {ways}.") from error
    except OSError as error:
        raise DataError(explain_os_error(error, target)) from error


def _retrieve(job: _Job, file: RemoteFile) -> Path:
    """Download one file, check it, and say where it lies."""
    import pooch

    marker, url = job.own / MARKER, file.url or ""
    part = marker / f"{file.name}.part"
    part.parent.mkdir(parents=True, exist_ok=True)  # here, since pooch fails when two threads do it at once
    downloader = (
        KaggleFile(part, job.stop)
        if url.startswith(SCHEME)
        else Resuming(
            job.session,
            part,
            file.sha256 is not None,
            lambda done, total: job.meter.received(file.name, done, total),
            job.stop,
        )
    )
    known = f"sha256:{file.sha256}" if file.sha256 else None
    for again in (True, False):
        try:
            return Path(pooch.retrieve(url, known, fname=file.name, path=marker, downloader=downloader))
        except ValueError as error:  # pooch deletes what has the wrong checksum, so the second time starts from zero
            if "known hash" not in str(error):
                raise TransferError(f"the address cannot be used: {error}") from error
            if again:
                log.info("%s came with another checksum than it should; trying once more", url)
    raise TransferError("what came has another checksum than it should, twice")


def by_hand(source: Source, file: RemoteFile, own: Path) -> str:
    """How to do without the download; the source may name a setting that needs no account."""
    what = "its raw files" if file.name == SUMS else file.name  # without the list, those that are there are read
    ways = [f"put {what} into {own} by hand", "name a mirror with paths.mirror=… or ECGAN_MIRROR"]
    setting = getattr(source, "without_account", "")
    if setting and (file.url or "").startswith(SCHEME):
        ways.append(f"choose {setting}, which needs no account")
    if (own / MARKER).exists() and source.found(own):
        ways.append(f"delete {own / MARKER} to use what has come so far")
    return ", or ".join(ways)
