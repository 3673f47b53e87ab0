"""What most sources share: a fixed list of raw files, read in one piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ecgan.types import Card, Recordings, RemoteFile, Source


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
    sums: str = "SHA256SUMS.txt",
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
    """
    first = RemoteFile(sums, f"{url}/{sums}")
    if not (raw / sums).is_file():
        return (first,)
    lines = (line.split(maxsplit=1) for line in (raw / sums).read_text(encoding="utf-8").splitlines() if line.strip())
    by_name = {name.strip().removeprefix("*").removeprefix("./"): checksum for checksum, name in lines}
    names = [name for name in by_name if name.endswith(suffixes)] if wanted is None else list(wanted)
    return (first, *(RemoteFile(name, f"{url}/{name}", by_name.get(name)) for name in names))
