"""Writing generated series as they come, in memory that does not depend on their number."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from ecgan.errors import ConfigError, RunError
from ecgan.files import replacing
from ecgan.types import FloatArray, IntArray

Chunk = tuple[FloatArray, IntArray | None]
"""Series (n, C, T) and their classes (n,), or None where they have none."""

SPOOLED = 2**18
"""Bytes of classes that are kept in memory until they can be written behind the series."""


@dataclass(frozen=True)
class Description:
    """What is known of series before the first of them is there.

    Attributes:
        n: how many there will be.
        channels: channels per series.
        seq_len: samples per series.
        unit: of the values, ``1`` where they have none.
        fs_hz: sampling rate, None where it is undefined.
        classes: names of the classes where each series has one, else None.
    """

    n: int
    channels: int
    seq_len: int
    unit: str
    fs_hz: float | None = None
    classes: tuple[str, ...] | None = None

    def of(self, x: FloatArray, label: IntArray | None) -> Description:
        """The same unit, sampling rate and classes for these series (N, C, T), labelled (N,) or not."""
        n, channels, seq_len = x.shape
        classes = None if label is None else self.classes
        return replace(self, n=n, channels=channels, seq_len=seq_len, classes=classes)


def check_target(path: Path, about: Description) -> None:
    """Refuse what cannot be written, before anything is computed.

    Raises:
        ConfigError: when the name has an unknown ending.
        RunError: when the path exists, or the format needs a sampling rate and there is none.
    """
    if path.suffix not in WRITERS:
        raise ConfigError(
            f"{path} ends in {path.suffix!r}; let it end in .npz or .csv, or in nothing for a folder of WFDB records."
        )
    if path.exists():
        raise RunError(f"{path} exists and is not overwritten; choose another name.")
    if path.suffix == "" and about.fs_hz is None:
        raise RunError("WFDB records need a sampling rate, which these series do not have; choose .npz or .csv.")


def write_series(path: Path, chunks: Iterable[Chunk], about: Description) -> None:
    """Write series in the format that the name's ending says; the file appears when it is complete.

    * ``.npz``: arrays ``x`` (N, C, T) float32, ``unit``, ``fs_hz`` (NaN where it is undefined), and where series have
      classes ``label`` (N,) int64 and ``classes``; for ``np.load(path, allow_pickle=False)``.
    * ``.csv``: one row per series, columns ``label`` where series have classes, then ``c0_t0``, ``c0_t1``, …
    * no ending: a folder with one WFDB record per series and their list in ``RECORDS``. Values are rounded to 16 bits
      over the range of each series.

    The same series give the same bytes.

    Args:
        path: where to.
        chunks: series in pieces of any size, ``about.n`` in all.
        about: what the series are.

    Raises:
        ConfigError: when the name has an unknown ending.
        RunError: when the path exists or cannot be written, or the format needs a sampling rate and there is none.
        ValueError: when the chunks are not as described.
    """
    check_target(path, about)
    with replacing(path) as temporary:
        WRITERS[path.suffix](temporary, _counted(chunks, about), about)
        check_target(path, about)  # somebody may have written there in the meantime


def _counted(chunks: Iterable[Chunk], about: Description) -> Iterator[Chunk]:
    """Hand chunks on that are as described, so that no file says something else than it holds."""
    total = 0
    for x, label in chunks:
        total += len(x)
        if x.shape[1:] != (about.channels, about.seq_len) or (label is None) != (about.classes is None):
            raise ValueError(f"series of shape {x.shape[1:]} with label {label} do not fit {about}")
        yield np.ascontiguousarray(x, "<f4"), None if label is None else np.ascontiguousarray(label, "<i8")
    if total != about.n:
        raise ValueError(f"{total} series came instead of {about.n}")


def _write_npz(path: Path, chunks: Iterable[Chunk], about: Description) -> None:
    from tempfile import SpooledTemporaryFile

    with zipfile.ZipFile(path, "w") as archive, SpooledTemporaryFile(SPOOLED, dir=str(path.parent)) as spool:
        with _member(archive, "x", "<f4", (about.n, about.channels, about.seq_len)) as member:
            for x, label in chunks:
                member.write(x.data)
                if label is not None:
                    spool.write(label.data)
        arrays = {"unit": np.array(about.unit), "fs_hz": np.array(math.nan if about.fs_hz is None else about.fs_hz)}
        if about.classes is not None:
            spool.seek(0)
            with _member(archive, "label", "<i8", (about.n,)) as member:
                while piece := spool.read(SPOOLED):
                    member.write(piece)
            arrays["classes"] = np.array(about.classes)
        for name, array in arrays.items():
            with _member(archive, name, array.dtype.newbyteorder("<").str, array.shape) as member:
                member.write(array.astype(array.dtype.newbyteorder("<")).tobytes())


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, descr: str, shape: tuple[int, ...]) -> Iterator[IO[bytes]]:
    """A .npy file in the archive, behind its header; the bytes do not depend on when and where it is made."""
    info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as member:
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        yield member


def _write_csv(path: Path, chunks: Iterable[Chunk], about: Description) -> None:
    import pandas as pd

    columns = [f"c{c}_t{t}" for c in range(about.channels) for t in range(about.seq_len)]
    names = columns if about.classes is None else ["label", *columns]
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(",".join(names) + "\n")
        for x, label in chunks:
            table = pd.DataFrame(x.reshape(len(x), len(columns)), columns=columns)
            if label is not None:
                table.insert(0, "label", label)
            table.to_csv(stream, header=False, index=False, lineterminator="\n")


def _write_wfdb(path: Path, chunks: Iterable[Chunk], about: Description) -> None:
    import wfdb

    path.mkdir()
    digits = len(str(about.n - 1))
    shared: dict[str, Any] = {
        "fs": about.fs_hz,
        "units": [_wfdb_unit(about.unit)] * about.channels,
        "sig_name": [f"c{c}" for c in range(about.channels)],
        "fmt": ["16"] * about.channels,
        "write_dir": str(path),
    }
    with (path / "RECORDS").open("w", encoding="utf-8", newline="") as records:
        number = 0
        for x, label in chunks:
            for i, series in enumerate(x):
                name = f"{number:0{digits}d}"
                comments = ["generated series, not a recording"]
                if label is not None and about.classes is not None:
                    # wfdb drops what is not ASCII, but the number stays
                    comments += [f"label: {label[i]}", f"class: {about.classes[label[i]]}"]
                wfdb.wrsamp(name, p_signal=series.T.astype(np.float64), comments=comments, **shared)
                records.write(f"{name}\n")
                number += 1


def _wfdb_unit(unit: str) -> str:
    """WFDB's own word for values without a unit, whose headers also take no space."""
    return "NU" if unit == "1" else unit.replace(" ", "_")


WRITERS: dict[str, Callable[[Path, Iterable[Chunk], Description], None]] = {
    ".npz": _write_npz,
    ".csv": _write_csv,
    "": _write_wfdb,
}
"""How to write, by the ending of the name."""
