"""Getting raw files: those that lie there already, then a mirror, then the official source."""

from __future__ import annotations

import logging
from importlib.resources import files as package_files
from pathlib import Path

from ecgan.errors import DataError, RunError
from ecgan.files import read_json, sha256_of, write_json
from ecgan.types import RemoteFile, Source

log = logging.getLogger(__name__)


def fetch(source: Source, data: Path, mirror: Path | None) -> Path:
    """Find or download the raw files of a source.

    Tried in this order: the files that come with the package, ``<data>/<name>/raw`` (put there by an earlier
    download or by hand), ``<mirror>/<name>/raw``, and last a download.

    Args:
        source: the data set.
        data: folder of all data sets.
        mirror: folder laid out as ``<name>/raw/…``, or None.

    Returns:
        Folder that holds the files.

    Raises:
        DataError: when the files are nowhere, or differ from their checksums.
    """
    own = data / source.name / "raw"
    places = [Path(str(package_files("ecgan"))) / "data" / "bundled", own]
    if mirror is not None:
        if not mirror.is_dir():
            raise DataError(f"The mirror {mirror} is not a folder; correct paths.mirror or ECGAN_MIRROR.")
        places.append(mirror / source.name / "raw")
    for place in places:
        if all(_present(file, place) for file in source.files):
            return place
    for file in source.files:
        if not _present(file, own):
            _download(file, own, source.name)
    return own


def checksums(source: Source, raw: Path, cache: Path) -> dict[str, str]:
    """Checksums of the raw files, compared with those the source knows.

    Reading gigabytes at each start would be slow, so a checksum is remembered with size and time of the file.

    Raises:
        DataError: when a file differs from the checksum that the source knows.
    """
    known = _remembered(cache)
    found: dict[str, str] = {}
    for file in source.files:
        for name in _names(file, raw):
            path = raw / name
            stat = path.stat()
            key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
            if key not in known:
                known[key] = sha256_of(path)
                write_json(cache, known)
            found[name] = known[key]
            if file.sha256 and name == file.name and found[name] != file.sha256:
                raise DataError(
                    f"{path} is damaged or another version (sha256 {found[name][:12]}…, expected "
                    f"{file.sha256[:12]}…); delete it and run the same command again."
                )
    return found


def _remembered(cache: Path) -> dict[str, str]:
    try:
        known = read_json(cache)
    except RunError:  # missing or damaged: the files themselves tell
        return {}
    return known if isinstance(known, dict) else {}


def _names(file: RemoteFile, place: Path) -> list[str]:
    if file.members and all((place / member).is_file() for member in file.members):
        return list(file.members)
    return [file.name]


def _present(file: RemoteFile, place: Path) -> bool:
    return all((place / name).is_file() for name in _names(file, place))


def _download(file: RemoteFile, folder: Path, dataset: str) -> None:
    by_hand = f"put {file.name} into {folder} by hand, or name a mirror with paths.mirror=…"
    if file.url is None:
        raise DataError(f"The raw file {file.name} of {dataset} has no public address; {by_hand}.")
    import pooch
    import requests

    log.info("downloading %s", file.url)
    try:
        pooch.retrieve(
            file.url,
            known_hash=f"sha256:{file.sha256}" if file.sha256 else None,
            fname=file.name,
            path=folder,
            downloader=pooch.HTTPDownloader(progressbar=False, timeout=30),
        )
    except (requests.RequestException, OSError, ValueError) as error:
        raise DataError(f"Cannot download {file.url} for {dataset} ({_reason(error)}); {by_hand}.") from error


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code}"
    if isinstance(error, ValueError) and "known hash" in str(error):
        return "what came has another checksum than it should"
    return getattr(error, "strerror", None) or type(error).__name__
