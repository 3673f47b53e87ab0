"""What makes a bundle trustworthy: a checksum of every file, and a zip file with a seal over all of its bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ecgan.data.formats.archive import is_inside, unpack
from ecgan.errors import RunError
from ecgan.files import digest, reading, sha256_of, write_text

FORMAT = 1
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 2**20
SEAL = 64
"""Length of the hexadecimal sha256 at the end of a zip file, over all bytes before it."""
CHUNK = 2**20


def write_manifest(directory: Path) -> str:
    """Write ``manifest.json`` for all files of a folder and return the digest of the bundle."""
    files = {name: {"bytes": size, "sha256": sha256_of(directory / name)} for name, size in _listed(directory)}
    content = {"format": FORMAT, "files": files}
    sha256 = digest(content)
    write_text(directory / MANIFEST, _rendered(content | {"sha256": sha256}))
    return sha256


def verify(directory: Path) -> str:
    """Return the digest of a bundle if every file is as it was published, and no other is there.

    Raises:
        RunError: naming the first file that is missing, changed, a link, or not of the bundle.
    """
    content = _read_manifest(directory / MANIFEST)
    files, there = content["files"], dict(_listed(directory))
    there.pop(MANIFEST, None)
    for name in sorted(set(there) ^ set(files)):
        what = "lacks" if name in files else "holds, though it is not of the bundle,"
        raise RunError(f"{directory} {what} the file {name!r}; get the bundle again.")
    for name, known in files.items():
        if there[name] != known["bytes"] or sha256_of(directory / name) != known["sha256"]:
            raise RunError(f"The file {name!r} of {directory} was changed or is damaged; get the bundle again.")
    return str(content["sha256"])


def pack(directory: Path, path: Path) -> None:
    """Write a folder as a zip file; the same files give the same bytes, whenever and wherever that is done."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # compressed, bytes would depend on the library
        for name, size in _listed(directory):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system, info.file_size = 3, size
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            with (directory / name).open("rb") as source, archive.open(info, "w") as member:
                shutil.copyfileobj(source, member, CHUNK)
        archive.comment = bytes(SEAL)
    with path.open("r+b") as stream:
        seal = _sealed(stream, path.stat().st_size)
        stream.write(seal)


@contextmanager
def opened(place: Path) -> Iterator[tuple[Path, str]]:
    """Hand out the folder of a bundle that has been checked, and its digest; a zip file is unpacked for that long.

    Args:
        place: folder or zip file.

    Raises:
        EcganError: when anything of it is not as it was published.
    """
    if place.is_dir():
        yield place, verify(place)
        return
    with tempfile.TemporaryDirectory(prefix="ecgan-") as folder, reading(place):
        size = place.stat().st_size
        with place.open("rb") as stream:
            intact = size > SEAL and _sealed(stream, size) == stream.read()
        if not intact:
            raise RunError(
                f"{place} is not as ecgan-publish wrote it (its seal does not fit); get the bundle again, or unpack it "
                "and name the folder if you have packed it yourself."
            )
        directory = Path(folder) / place.stem
        unpack(place, directory, max_bytes=size)  # nothing in it is compressed
        yield directory, verify(directory)


def _sealed(stream: IO[bytes], size: int) -> bytes:
    """The seal of a zip file of so many bytes; leaves the stream where it stands, or shall stand."""
    hashed, left = hashlib.sha256(), size - SEAL
    stream.seek(0)
    while left:
        piece = stream.read(min(CHUNK, left))
        hashed.update(piece)
        left -= len(piece)
    return hashed.hexdigest().encode()


def _listed(directory: Path) -> list[tuple[str, int]]:
    """Names and sizes of all files below a folder, in order.

    Raises:
        RunError: when there is a link or a device among them.
    """
    found = []
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = Path(folder, name)
            about = path.lstat()
            if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
                raise RunError(f"{path} is a link or a device, which no bundle holds; get it from its real source.")
            if stat.S_ISREG(about.st_mode):
                found.append((path.relative_to(directory).as_posix(), about.st_size))
    return sorted(found)


def _read_manifest(path: Path) -> dict[str, Any]:
    """Parse the manifest, in which every byte counts.

    Raises:
        RunError: when it is not exactly what ``write_manifest`` writes.
    """
    problem = f"{path} was changed or is damaged; get the bundle again."
    with reading(path):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_MANIFEST:
            raise RunError(problem)
        raw = path.read_bytes()
    try:
        content: dict[str, Any] = json.loads(raw)
        known, files = content["format"], content["files"]
        rest = {key: value for key, value in content.items() if key != "sha256"}
        whole = _rendered(content).encode() == raw and content["sha256"] == digest(rest)
        safe = all(is_inside(name) and set(entry) == {"bytes", "sha256"} for name, entry in files.items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(problem) from error
    if not whole or not safe:
        raise RunError(problem)
    if known != FORMAT:
        raise RunError(f"{path.parent} has the format {known!r}, and this version reads {FORMAT}; install another one.")
    return content


def _rendered(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
