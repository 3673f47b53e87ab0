"""What a source of data is, and what most share: a fixed list of raw files, read in one piece."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from ecgan.errors import DataError
from ecgan.types import Card, Recordings, RemoteFile

SUMS = "SHA256SUMS.txt"
"""PhysioNet's own list of checksums, in each of its databases."""
CHECKSUM = re.compile(r"([0-9a-fA-F]{64})\s+\*?(\S.*)")


@runtime_checkable
class Source(Protocol):
    """What knows where one data set comes from and how to read its raw files.

    ``BaseSource`` has sensible answers for most of this.
    """

    @property
    def name(self) -> str:
        """Name of the data set and of its folder of stores below ``data/``."""

    @property
    def folder(self) -> str:
        """Name of the folder of its raw files below ``data/`` and the mirror."""

    @property
    def place(self) -> Path | None:
        """Folder of raw files that a user has named; None where they are looked for below ``data/`` and the mirror."""

    @property
    def version(self) -> str:
        """Changes when ``read`` gives other arrays from the same raw files."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; the first is normal. Known after ``pieces`` where the files tell."""

    @property
    def note(self) -> str:
        """What every report must say about the data; empty where there is nothing. Known after ``pieces``."""

    @property
    def partition(self) -> str:
        """What to call the source's own partition in results, such as ``de Chazal's DS1 / DS2``; may be empty."""

    @property
    def grouping(self) -> str:
        """What a group is, such as ``patient`` or ``trial``."""

    @property
    def expected(self) -> Mapping[str, int]:
        """What the complete set holds: series per class, or ``records`` for the number of pieces.

        Files that hold less are named a subset in every result. Empty where nothing is known.
        """

    @property
    def card(self) -> Card:
        """Facts for the list of data sets."""

    def settled(self, roots: Sequence[Path]) -> Source:
        """The source to use, given the folders that hold ``<folder>/raw``: where one can choose, it chooses."""

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """What to download into ``raw``; asked again afterwards, since a list of files may name more."""

    def found(self, raw: Path) -> tuple[str, ...]:
        """Names of the files in ``raw`` that will be read; empty when they do not suffice."""

    def pieces(self, raw: Path) -> Sequence[Any]:
        """What can be read one by one, by several processes: names of records, numbers of chunks, in order."""

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Read one piece. It runs in other processes, so it must not change the source."""


class BaseSource:
    """Answers of a source that has a fixed list of raw files and no choices; subclasses supply the rest.

    A subclass sets ``name``, ``classes`` and ``card``, lists its files in ``remote``, and implements ``read``.
    """

    name: str
    version: str = "1"
    classes: tuple[str, ...]
    note: str = ""
    partition: str = ""
    grouping: str = "patient"
    expected: Mapping[str, int] = {}
    card: ClassVar[Card]
    remote: tuple[RemoteFile, ...] = ()

    @property
    def place(self) -> Path | None:
        """Raw files are looked for, and downloaded."""
        return None

    @property
    def folder(self) -> str:
        """Raw files lie in a folder of the data set's own name; overwrite it where data sets share one."""
        return self.name

    def settled(self, roots: Sequence[Path]) -> Source:
        """There is nothing to choose."""
        return self

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """The fixed list."""
        return self.remote

    def found(self, raw: Path) -> tuple[str, ...]:
        """Names of all files, or none if one is missing."""
        names = [present(file, raw) for file in self.files(raw)]
        return tuple(name for group in names for name in group) if all(names) else ()

    def pieces(self, raw: Path) -> Sequence[Any]:
        """All files are read at once."""
        return (None,)

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Subclasses read their files here."""
        raise NotImplementedError


def present(file: RemoteFile, raw: Path) -> tuple[str, ...]:
    """Names under which a file lies in ``raw``: its own, those of its unpacked members, or none."""
    if file.members and all((raw / member).is_file() for member in file.members):
        return file.members
    return (file.name,) if (raw / file.name).is_file() else ()


def listed(
    raw: Path,
    url: str,
    wanted: Sequence[str] | None = None,
    suffixes: tuple[str, ...] = (),
    sums: str = SUMS,
) -> tuple[RemoteFile, ...]:
    """The files of a database that brings its own list of checksums, as those of PhysioNet do.

    Args:
        raw: folder of the raw files.
        url: address of the folder that holds the list.
        wanted: names to take from the list; by default all with one of the suffixes.
        suffixes: such as ``(".dat", ".hea")``.
        sums: name of the list, lines of ``<sha256> <name>``.

    Returns:
        The list itself while it is not there yet, then everything.

    Raises:
        DataError: when the list is something else, or lacks a wanted file.
    """
    first = RemoteFile(sums, f"{url}/{sums}")
    if not (raw / sums).is_file():
        return (first,)
    by_name = _checksums(raw / sums)
    names = [name for name in by_name if name.endswith(suffixes)] if wanted is None else list(wanted)
    missing = [name for name in names if name not in by_name]
    if missing or not names:
        what = f"does not list {missing[0]}" if missing else "lists no file of this database"
        raise DataError(f"{raw / sums} {what}, so it is not whole; delete it to get it anew.")
    return (first, *(RemoteFile(name, f"{url}/{name}", by_name[name]) for name in names))


def _checksums(path: Path) -> dict[str, str]:
    """Checksum by name from lines of ``<sha256> <name>``; a login page, say, must not pass for a list of nothing."""
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    matches = [CHECKSUM.fullmatch(line.strip()) for line in lines]
    by_name = {match[2].removeprefix("./"): match[1].lower() for match in matches if match}
    if not lines or len(by_name) < len(lines):
        raise DataError(f"{path} is not a list of checksums; delete it to get it anew.")
    return by_name
