"""Signals and annotations of WFDB records, the format of PhysioNet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecgan.errors import DataError, did_you_mean
from ecgan.types import FloatArray, IntArray

if TYPE_CHECKING:
    from wfdb import Record

SUFFIXES = (".hea", ".dat", ".mat", ".xyz", ".atr")
ANNOTATION_END = b"\0\0"
"""The word that closes every annotation file."""


@dataclass(frozen=True)
class Signals:
    """Signals of one record.

    Attributes:
        x: (C, T) float32 (or what was asked for) in physical units; NaN where the record marks a sample as invalid.
        leads: name of each channel, as the header spells it.
        fs_hz: sampling rate.
        units: physical unit of each channel, such as ``mV``.
        comments: the header's comment lines without their ``#``.
    """

    x: FloatArray
    leads: tuple[str, ...]
    fs_hz: float
    units: tuple[str, ...]
    comments: tuple[str, ...]


def read_signals(
    raw: Path, record: str, leads: Sequence[str] | None = None, dtype: npt.DTypeLike = np.float32
) -> Signals:
    """Read a record, or some of its leads; files that hold none of them need not be there.

    Args:
        raw: folder of the raw files.
        record: name below it, without suffix, such as ``patient001/s0010_re``.
        leads: names in the order wanted, all leads by default; upper and lower case are the same.
        dtype: of the values; float64 for filters that need it.

    Raises:
        DataError: when a file is missing, damaged, or shorter than the header says, or the record lacks a lead.
    """
    import wfdb

    header = _header(raw, record)
    channels = list(range(header.n_sig)) if leads is None else [_channel(raw, record, header, lead) for lead in leads]
    holders = {(raw / record).with_name(header.file_name[channel]) for channel in channels}
    foreign = [holder.name for holder in holders if holder.stem != Path(record).name]
    if foreign:  # no checksum covers it, and no store would notice a change
        raise DataError(f"{raw / record}.hea names {foreign[0]}, a file of another record; {mended(raw)}.")
    names = " and ".join(sorted(str(holder) for holder in holders if not holder.is_file()))
    if names:
        raise DataError(f"{raw / record}.hea names {names}, missing here; {mended(raw)}.")
    names = " and ".join(sorted(map(str, holders)))
    with _explained(f"{names} is damaged or shorter than {record}.hea says; {mended(raw)}."):
        read = wfdb.rdrecord(str(raw / record), channels=channels, physical=False, return_res=32)
        x = _physical(read, dtype)
    return Signals(x, tuple(read.sig_name), float(read.fs), tuple(read.units), tuple(read.comments))


def read_annotations(raw: Path, record: str, extension: str = "atr") -> tuple[IntArray, npt.NDArray[np.str_]]:
    """Read the annotations of a record.

    Returns:
        (A,) sample numbers from 0 and (A,) symbols, in the order of the file.

    Raises:
        DataError: when the file is missing or damaged, or an annotation lies outside of the record's signals.
    """
    import warnings

    import wfdb

    path = (raw / record).with_name(f"{Path(record).name}.{extension}")
    length = _header(raw, record).sig_len
    if not path.is_file():
        raise DataError(f"{path} is missing; {mended(raw)}.")
    problem = f"{path} is not a complete WFDB annotation file; {mended(raw)}."
    with _explained(problem), warnings.catch_warnings():
        if not path.read_bytes().endswith(ANNOTATION_END):
            raise ValueError("it has no end")
        warnings.simplefilter("ignore")  # wfdb calls pandas in ways that pandas is about to drop
        found = wfdb.rdann(str(raw / record), extension)
        sample, symbol = np.asarray(found.sample, dtype=np.int64), np.asarray(found.symbol, dtype=np.str_)
    outside = np.flatnonzero((sample < 0) | (sample >= length))
    if outside.size:
        first = outside[0]
        raise DataError(
            f"{path} has annotation {first + 1} at sample {sample[first]}, but its record has {length} samples; "
            f"{mended(raw)}."
        )
    return sample, symbol


def lead_names(raw: Path, record: str) -> tuple[str, ...]:
    """Names of the leads of a record, in its order.

    Raises:
        DataError: when the header is missing or damaged.
    """
    return tuple(_header(raw, record).sig_name)


def record_files(raw: Path, record: str, suffixes: Sequence[str] = SUFFIXES) -> tuple[str, ...]:
    """Names below ``raw`` of the files that belong to a record and are there; none without its header.

    Nothing is opened, since this runs on every start: files are told by the record's name.
    """
    names = tuple(record + suffix for suffix in suffixes if (raw / (record + suffix)).is_file())
    return names if record + ".hea" in names else ()


def refuse_incomplete(raw: Path, records: Iterable[str], suffixes: Sequence[str]) -> None:
    """Refuse records of which only some files are there, before anything is read.

    Raises:
        DataError: naming the first missing file.
    """
    for record in records:
        lacking = [f"{raw / record}{suffix}" for suffix in suffixes if not (raw / (record + suffix)).is_file()]
        if lacking:
            raise DataError(f"{raw / record}.hea is there without {' and '.join(lacking)}; {mended(raw)}.")


def mended(raw: Path) -> str:
    """What helps against a bad file among many: those that are there are read, so nothing fetches it by itself."""
    return f"put a whole copy there by hand, or delete the folder {raw} and fetch all of it again"


def _header(raw: Path, record: str) -> Record:
    import wfdb

    path = f"{raw / record}.hea"
    if not Path(path).is_file():
        raise DataError(f"{path} is missing; {mended(raw)}.")
    with _explained(f"{path} is not a complete WFDB header; {mended(raw)}."):
        header = wfdb.rdheader(str(raw / record))
        if isinstance(header, wfdb.MultiRecord) or header.n_sig != len(header.sig_name) or not header.fs:
            raise ValueError("not one segment with all its signals")
    if not header.sig_len:
        raise DataError(f"{path} names no samples; use a record with signals, or add their number to its first line.")
    if any(rate != 1 for rate in header.samps_per_frame):
        raise DataError(f"{path} has signals of several sampling rates; only one rate can be read.")
    return header


def _channel(raw: Path, record: str, header: Record, lead: str) -> int:
    found = [i for i, name in enumerate(header.sig_name) if name.casefold() == lead.casefold()]
    if len(found) == 1:
        return found[0]
    problem = "has no lead" if not found else "has several leads named"
    raise DataError(f"{raw / record}.hea {problem} {lead!r}; {did_you_mean(lead, header.sig_name)}")


def _physical(read: Record, dtype: npt.DTypeLike) -> FloatArray:
    """Convert digital to physical values, as wfdb does, but in one pass per channel."""
    from wfdb.io._signal import INVALID_SAMPLE_VALUE

    x = np.empty((read.n_sig, read.sig_len), dtype)
    for i, (digital, gain, baseline) in enumerate(zip(read.d_signal.T, read.adc_gain, read.baseline, strict=True)):
        if not gain:
            raise DataError(f"Lead {read.sig_name[i]} of {read.record_name} is not calibrated (gain 0); leave it out.")
        # in float64, so that a float32 is the nearest to the exact value whatever the gain
        np.divide(digital - float(baseline), gain, out=x[i], casting="same_kind")
        x[i, digital == INVALID_SAMPLE_VALUE[read.fmt[i]]] = np.nan
    return x


@contextmanager
def _explained(problem: str) -> Iterator[None]:
    """Turn whatever wfdb stumbles over into one sentence; it raises nearly every type that Python has."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(problem) from error
