"""Unpacking zip files that nobody has looked at: nothing leaves the folder, nothing fills the disk."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from ecgan.errors import DataError
from ecgan.files import replacing

MAX_BYTES = 16 * 2**30
MAX_RATIO = 200
"""Texts of numbers shrink to a tenth; what shrinks to less than this is made to fill disks."""
SMALL = 2**20
"""Members up to this size may have any ratio: a short file of zeros is harmless."""
CHUNK = 2**20
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What reading damaged zip files, or such of another compression, raises."""


def is_inside(name: str) -> bool:
    """Whether a name from somebody's list or archive stays below the folder that it is appended to."""
    path = PurePosixPath(name)
    windows = PureWindowsPath(name)
    return bool(
        path.parts and ".." not in windows.parts and not path.is_absolute() and not windows.anchor and "\0" not in name
    )


def unpack(
    archive: Path, into: Path, wanted: Callable[[str], bool] | None = None, max_bytes: int = MAX_BYTES
) -> tuple[str, ...]:
    """Unpack a zip file.

    All members are checked before the first one is written, and each one appears under its name only when it is
    complete and its checksum is right.

    Args:
        archive: the zip file.
        into: folder; members keep their folders below it.
        wanted: says of a member's name whether to unpack it; all by default.
        max_bytes: largest sum of the unpacked sizes.

    Returns:
        Names of the unpacked files.

    Raises:
        DataError: when the archive is damaged or encrypted, a member would leave the folder, is a link, is there
            twice, or unpacks to more than is sensible.
        RunError: when the disk is full or ``into`` cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [info for info in opened.infolist() if not info.is_dir()]
            for info in members:
                _check(archive, info)
            chosen = [info for info in members if wanted is None or wanted(info.filename)]
            _check_sizes(archive, chosen, max_bytes)
            for info in chosen:
                _write(opened, info, into / info.filename)
    except DAMAGED as error:
        raise DataError(f"{archive} is damaged ({error}); delete it and fetch it again.") from error
    except FileNotFoundError as error:
        raise DataError(f"{archive} is missing; fetch it again.") from error
    return tuple(info.filename for info in chosen)


def _check(archive: Path, info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    trouble = (
        "would be written outside the folder"
        if not is_inside(info.filename)
        else "is a link or a device"
        if kind not in (0, stat.S_IFREG)
        else "is encrypted"
        if info.flag_bits & 1
        else ""
    )
    if trouble:
        raise DataError(f"The member {info.filename!r} of {archive} {trouble}; get the archive from its real source.")


def _check_sizes(archive: Path, chosen: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if len({info.filename for info in chosen}) < len(chosen):
        raise DataError(f"{archive} holds two members of one name; get the archive from its real source.")
    total = sum(info.file_size for info in chosen)
    if total > max_bytes:
        raise DataError(f"{archive} would unpack to {total:,} bytes, more than the {max_bytes:,} that are sensible.")
    for info in chosen:
        if info.file_size > max(SMALL, MAX_RATIO * info.compress_size):
            raise DataError(
                f"The member {info.filename!r} of {archive} would grow from {info.compress_size:,} to "
                f"{info.file_size:,} bytes, which no data does; get the archive from its real source."
            )


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    # zipfile reads no more than the size that was checked, and compares the checksum at the end
    with replacing(target) as temporary, opened.open(info) as packed, temporary.open("wb") as stream:
        shutil.copyfileobj(packed, stream, CHUNK)
