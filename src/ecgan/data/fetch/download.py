"""Getting raw files: those that lie there already, then a mirror, then the official source."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files as package_files
from pathlib import Path

from filelock import FileLock, Timeout

from ecgan.data.fetch.retrieve import MARKER, by_hand, retrieve_all
from ecgan.data.formats.archive import is_inside
from ecgan.data.source import Source, present
from ecgan.errors import DataError, RunError
from ecgan.files import explain_os_error, read_json, reading, sha256_of, write_json, write_text
from ecgan.types import RemoteFile

log = logging.getLogger(__name__)

WANTED = "wanted.txt"
"""File in the folder of an unfinished download that lists what was still to come."""


def places(source: Source, data: Path, mirror: Path | None) -> list[Path]:
    """Folders in which raw files may lie, the preferred one first.

    Args:
        source: the data set.
        data: folder of all data sets.
        mirror: folder laid out as ``<folder>/raw/…``, or None.

    Raises:
        DataError: when the mirror is not a folder.
    """
    if mirror is not None and not mirror.is_dir():
        raise DataError(f"The mirror {mirror} is not a folder; correct paths.mirror or ECGAN_MIRROR.")
    bundled = Path(str(package_files("ecgan"))) / "data" / "bundled"
    return [bundled, *(root / source.folder / "raw" for root in (data, mirror) if root is not None)]


def fetch(source: Source, data: Path, mirror: Path | None) -> Path:
    """Find or download the raw files of a source; those of a user stay where they are.

    Tried in this order: the files that come with the package, ``<data>/<folder>/raw`` (put there by an earlier
    download or by hand), ``<mirror>/<folder>/raw``, and last a download. An interrupted download goes on where it
    stopped, and is not taken for a subset that somebody wants.

    Args:
        source: the data set.
        data: folder of all data sets.
        mirror: folder laid out as ``<folder>/raw/…``, or None.

    Returns:
        Folder that holds the files.

    Raises:
        DataError: when the files are nowhere, cannot be downloaded, or differ from their checksums.
    """
    if source.place is not None:
        with reading(source.place):
            if not source.found(source.place):
                names = ", ".join(file.name for file in source.files(source.place))
                raise DataError(f"There is no file {names} in {source.place.resolve()}; correct dataset.path.")
        return source.place
    own = data / source.folder / "raw"
    if not source.files(own):  # generated
        return own
    for place in places(source, data, mirror):
        with reading(place):
            if _usable(source, place):
                return place
    try:
        with _alone(own.parent):
            if not _usable(source, own):  # another process may have been faster
                _complete(source, own)
    except OSError as error:
        raise DataError(explain_os_error(error, own)) from error
    return own


def checksums(source: Source, raw: Path, cache: Path) -> dict[str, str]:
    """Checksums of the raw files, compared with those the source knows.

    Reading gigabytes at each start would be slow, so a checksum is remembered with size and time of the file.

    Args:
        source: the data set.
        raw: folder of the raw files.
        cache: file that remembers; written once, when all checksums are there.

    Returns:
        Sha256 by name, for each file that will be read.

    Raises:
        DataError: when a file differs from the checksum that the source knows.
    """
    known = _remembered(cache)
    names = [name for name in source.found(raw) if name]
    _refuse_outside(names, raw)
    sums: dict[str, str] = {}
    before = len(known)
    for name in names:
        path = raw / name
        with reading(path):
            stat = path.stat()
            key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
            if key not in known:
                known[key] = sha256_of(path)
        sums[name] = known[key]
    if len(known) != before:
        with suppress(RunError):  # it only saves time
            write_json(cache, known)
    for file in source.files(raw):
        if file.sha256 and file.name in sums and sums[file.name] != file.sha256.lower():
            raise DataError(
                f"{raw / file.name} is damaged or another version (sha256 {sums[file.name][:12]}…, expected "
                f"{file.sha256[:12]}…); put the right one there, or delete the whole folder {raw} to get it anew."
            )
    return sums


def _remembered(cache: Path) -> dict[str, str]:
    try:
        known = read_json(cache)
    except RunError:  # missing or damaged: the files themselves tell
        return {}
    return known if isinstance(known, dict) else {}


def _usable(source: Source, place: Path) -> bool:
    # in this order: the marker comes before the first file and goes after the last one
    found = source.found(place)
    return bool(found) and (not (place / MARKER).exists() or not _missing(source, place))


def _missing(source: Source, raw: Path) -> list[RemoteFile]:
    return [file for file in source.files(raw) if not present(file, raw)]


def _refuse_outside(names: Iterable[str], raw: Path) -> None:
    for name in names:
        if not is_inside(name) or name.split("/")[0] == MARKER:
            raise DataError(f"A list names the raw file {name!r}, which does not lie in {raw}; get the list anew.")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process download at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "download.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("waiting for another process that downloads into %s", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _complete(source: Source, own: Path) -> None:
    """Download until nothing is missing; a list of files that has come may name more."""
    try:
        while missing := _missing(source, own):
            _refuse_outside((file.name for file in missing), own)
            for file in missing:
                if file.url is None:
                    ways = by_hand(source, file, own)
                    raise DataError(f"The raw file {file.name} of {source.name} has no public address; {ways}.")
            _note_wanted(own / MARKER, [file.name for file in missing])
            retrieve_all(source, missing, own)
    finally:
        _tidy(own)
    if not source.found(own):
        raise DataError(f"All listed raw files of {source.name} are in {own}, yet they do not suffice to read it.")


def _note_wanted(marker: Path, names: list[str]) -> None:
    # another source may share the folder and be unfinished too
    write_text(marker / WANTED, "".join(f"{name}\n" for name in sorted({*_noted(marker), *names})))


def _noted(marker: Path) -> list[str]:
    return (marker / WANTED).read_text(encoding="utf-8").splitlines() if (marker / WANTED).exists() else []


def _tidy(own: Path) -> None:
    """Take the marker away when all has come, and when nothing has: then files put there by hand may be a subset."""
    marker = own / MARKER
    if not marker.exists():
        return
    wanted = _noted(marker)
    here = sum((own / name).is_file() for name in wanted)
    parts = any(path.is_file() and path.name != WANTED for path in marker.rglob("*"))
    if here == len(wanted) or (not here and not parts):
        shutil.rmtree(marker)
