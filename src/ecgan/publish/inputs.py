"""A user's series as they come, in memory that does not depend on their number."""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ecgan.data.formats.records import read_signals
from ecgan.errors import DataError
from ecgan.files import reading
from ecgan.types import FloatArray

NAMED = "x"
"""The array of a ``.npz`` file that holds the series; another name will do where there is but one array."""
RATE = "fs_hz"
BESIDES = ("index", "label", "group")
"""Columns of a table that are no samples."""
COLUMN = re.compile(r"c(\d+)_t(\d+)")
DAMAGED = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
LIST = "RECORDS"
UNITLESS = ("", "NU")
"""How WFDB's headers say that values have no unit."""


@dataclass(frozen=True)
class Incoming:
    """Series that have not been read yet.

    Attributes:
        path: where they come from.
        shape: (N, C, T); N is -1 where nobody knows before the end.
        fs_hz: sampling rate, None where the file does not tell.
        blocks: reads them, at most so many at once, as (n, C, T) arrays in order.
        units: of the channels, as far as the file tells.
    """

    path: Path
    shape: tuple[int, ...]
    fs_hz: float | None
    blocks: Callable[[int], Iterator[FloatArray]]
    units: tuple[str, ...] = ()


def open_series(path: Path, channels: int) -> Incoming:
    """Look at a file of series without reading them.

    * ``.npy``: an array (N, C, T), or (N, T) of one channel.
    * ``.npz``: the same under the name ``x``, with ``fs_hz`` beside it if it is known; as ecgan-generate writes it.
    * ``.csv``: one row per series, channel after channel, with or without a line of names; columns called ``index``,
      ``label`` and ``group`` are left out.
    * else a WFDB record, one series, or a folder of such with their list in ``RECORDS``.

    Args:
        path: the file or folder; of a record with or without ``.hea``.
        channels: of a table that does not tell.

    Raises:
        DataError: when there is no such file, or it is damaged or of another kind.
    """
    with reading(path):
        readers: dict[str, Callable[[Path], Incoming]] = {
            ".npy": _npy,
            ".npz": _npz,
            ".csv": lambda file: _csv(file, channels),
        }
        reader = readers.get(path.suffix.lower(), _wfdb)
        if reader is not _wfdb and not path.is_file():
            raise DataError(f"There is no file {path}; name one with input=….")
        try:
            return reader(path)
        except DAMAGED as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is damaged or no {path.suffix} file ({' '.join(str(error).split())}); write it again.")


def _npy(path: Path) -> Incoming:
    with path.open("rb") as stream:
        shape, dtype = _header(stream, path)

    def blocks(size: int) -> Iterator[FloatArray]:
        with _explained(path), path.open("rb") as stream:
            _header(stream, path)
            yield from _pieces(stream, shape, dtype, size)

    return Incoming(path, shape, None, blocks)


def _npz(path: Path) -> Incoming:
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        name = names[0] if len(names) == 1 else NAMED
        if name not in names:
            raise DataError(f"{path} holds the arrays {', '.join(names) or 'none'}; call that of the series {NAMED!r}.")
        with archive.open(f"{name}.npy") as member:
            shape, dtype = _header(member, path)
        fs_hz = _number(archive, RATE, path) if RATE in names and name != RATE else None

    def blocks(size: int) -> Iterator[FloatArray]:
        with _explained(path), zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            _header(member, path)
            yield from _pieces(member, shape, dtype, size)

    return Incoming(path, shape, fs_hz, blocks)


def _number(archive: zipfile.ZipFile, name: str, path: Path) -> float | None:
    with archive.open(f"{name}.npy") as member:
        shape, dtype = _header(member, path, scalar=True)
        value = float(np.frombuffer(member.read(dtype.itemsize), dtype)[0]) if math.prod(shape) == 1 else -1.0
    if math.isnan(value):
        return None
    if not 0 < value < math.inf:
        raise DataError(f"{path} holds a {name} that is no sampling rate; give one number above 0, or NaN for none.")
    return value


def _header(stream: IO[bytes], path: Path, scalar: bool = False) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape, as (N, C, T), and type of an array; the stream then stands at its values.

    Raises:
        DataError: when it holds other things than series of numbers.
    """
    readers: dict[tuple[int, int], Callable[[IO[bytes]], Any]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise ValueError(f"its version is {version}")
    shape, by_column, dtype = readers[version](stream)
    if dtype.hasobject or dtype.kind not in "fiu":
        raise DataError(f"{path} holds values of the type {dtype}; give an array of real numbers.")
    if scalar:
        return shape, dtype
    if by_column and len(shape) > 1:
        raise DataError(f"{path} is stored column by column; save numpy.ascontiguousarray(x) instead.")
    if len(shape) == 2:  # noqa: PLR2004 - series of one channel without its axis
        shape = (shape[0], 1, shape[1])
    return shape, dtype


def _pieces(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> Iterator[FloatArray]:
    """Read so many series at a time; nothing is mapped, as touched pages would count as memory."""
    each = math.prod(shape[1:])
    for start in range(0, shape[0], size):
        n = min(size, shape[0] - start)
        raw = stream.read(n * each * dtype.itemsize)
        if len(raw) < n * each * dtype.itemsize:
            raise ValueError("it ends too early")
        yield _floats(np.frombuffer(raw, dtype).reshape(n, *shape[1:]))
    if stream.read(1):  # an archive compares its checksum when it is asked for more than there is
        raise ValueError("it holds more than its head says")


def _floats(x: npt.NDArray[Any]) -> FloatArray:
    with np.errstate(over="ignore"):  # what becomes infinite is refused with all that is infinite
        return np.asarray(x, np.float32)


def _first_line(path: Path) -> tuple[list[str], bool]:
    """Its cells, and whether they are names."""
    with path.open(encoding="utf-8-sig") as stream:
        cells = [cell.strip().strip('"') for cell in stream.readline().rstrip("\n").split(",")]
    if len(cells) > 1 and cells == [str(number) for number in range(len(cells))]:
        raise DataError(
            f"The first line of {path} counts its columns, or is a series that does nothing but count; remove it, or "
            "let it hold names, such as c0_t0."
        )
    return cells, not all(_is_number(cell) for cell in cells)


def _csv(path: Path, channels: int) -> Incoming:
    cells, named = _first_line(path)
    kept = [i for i, cell in enumerate(cells) if not named or cell.lower() not in BESIDES]
    matches = [COLUMN.fullmatch(cells[i]) for i in kept]
    if named and all(matches):
        channels = 1 + max(int(match[1]) for match in matches if match)
    if not kept or cells == [""]:
        raise DataError("There is no series to score; the input is empty.")
    if len(kept) % channels:
        raise DataError(
            f"{path} has {len(kept)} values per row, which {channels} channels cannot share; check its rows."
        )
    length = len(kept) // channels
    expected = [f"c{c}_t{t}" for c in range(channels) for t in range(length)]
    if named and all(matches) and [cells[i] for i in kept] != expected:
        raise DataError(f"The columns of {path} are not in order; let them be c0_t0, c0_t1, … channel after channel.")

    def blocks(size: int) -> Iterator[FloatArray]:
        import pandas as pd

        # all columns are read, as usecols would let pandas cut off what a longer row holds besides
        settings: dict[str, Any] = {"chunksize": size, "float_precision": "round_trip", "header": None}
        settings |= {"skiprows": int(named), "encoding": "utf-8-sig"}
        with (
            _explained(path),
            reading(path),
            suppress(pd.errors.EmptyDataError),
            pd.read_csv(path, **settings) as tables,
        ):
            for table in tables:
                if table.shape[1] != len(cells):
                    raise ValueError(f"its first line has {len(cells)} values, and another one {table.shape[1]}")
                yield _floats(table.iloc[:, kept].to_numpy(np.float64)).reshape(len(table), channels, length)

    return Incoming(path, (-1, channels, length), None, blocks)


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def _wfdb(path: Path) -> Incoming:
    names = [path.name.removesuffix(".hea").removesuffix(".dat")]
    folder = path.parent
    if path.is_dir():
        folder = path
        if not (path / LIST).is_file():
            raise DataError(f"{path} is a folder without a list of WFDB records in {LIST}; name a file of series.")
        names = [line.strip() for line in (path / LIST).read_text(encoding="utf-8").splitlines() if line.strip()]
    elif not (folder / f"{names[0]}.hea").is_file():
        raise DataError(f"There is no .npy, .npz or .csv file {path}, and no WFDB record of this name; check input=….")
    if not names:
        raise DataError("There is no series to score; the input is empty.")
    first = read_signals(folder, names[0])

    def blocks(size: int) -> Iterator[FloatArray]:
        for start in range(0, len(names), size):
            records = [read_signals(folder, name) for name in names[start : start + size]]
            for record, name in zip(records, names[start:], strict=False):
                if (record.x.shape, record.fs_hz, record.units) != (first.x.shape, first.fs_hz, first.units):
                    raise DataError(
                        f"The record {name} of {path} has another shape, rate or unit than the first; sort them."
                    )
            yield np.stack([record.x for record in records])

    units = tuple(unit for unit in first.units if unit not in UNITLESS)
    return Incoming(path, (len(names), *first.x.shape), first.fs_hz, blocks, units)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what reading a damaged file raises into a sentence."""
    try:
        yield
    except DAMAGED as error:
        raise _damaged(path, error) from error
