"""Reading single files out of a large zip archive that is never unpacked."""

from __future__ import annotations

import os
import zipfile
from functools import lru_cache
from pathlib import Path

from ecgan.data.formats.archive import DAMAGED
from ecgan.errors import DataError


def member_names(archive: Path) -> list[str]:
    """Names of the files in an archive.

    Raises:
        DataError: when it is not a whole zip file.
    """
    return _opened(archive).namelist()


def member_content(archive: Path, name: str, max_bytes: int) -> bytes:
    """Content of one file, checked against its checksum.

    Args:
        archive: the zip file.
        name: of the file in it; nothing is written to disk, so it cannot lead anywhere.
        max_bytes: what is larger is refused.

    Raises:
        DataError: when the archive is damaged, or the file is too large.
    """
    opened = _opened(archive)
    try:
        size = opened.getinfo(name).file_size  # zipfile reads no more than this
        if size > max_bytes:
            raise DataError(f"{archive} holds {name} of {size:,} bytes, more than is sensible; get it from its source.")
        return opened.read(name)
    except (*DAMAGED, OSError, KeyError) as error:
        raise DataError(f"{archive} is damaged at {name} ({error}); delete it and fetch it again.") from error


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        # a forked process must not share the file of its parent, since both would move the same position
        return _open_once(archive, (archive.stat().st_mtime_ns, os.getpid()))
    except (*DAMAGED, OSError) as error:
        raise DataError(f"{archive} is not a whole zip file ({error}); delete it and fetch it again.") from error


@lru_cache(maxsize=1)
def _open_once(archive: Path, _key: tuple[int, int]) -> zipfile.ZipFile:
    """Open an archive once per process: reading a list of ten thousand files takes longer than reading one of them."""
    return zipfile.ZipFile(archive)
