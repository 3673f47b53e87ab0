"""``ecgan-detect input=…``: scores new series with a published detector, as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ecgan import arguments
from ecgan.errors import ConfigError, DataError, RunError
from ecgan.files import replacing
from ecgan.preprocess.resample import RATE_TOLERANCE, Interpolate, Polyphase
from ecgan.publish.detector import Parts, Verdict, check_shape, unfit
from ecgan.publish.inputs import Incoming, open_series
from ecgan.publish.loading import load
from ecgan.types import FloatArray, Recordings

SILENT = Console(quiet=True)
SETTINGS = ("run", "input", "out", "detector", "fold", "resample", "fs_hz", "sha256")
NO_UNIT = "1"
COLUMNS = ("index", "detector", "score", "p_value", "threshold", "predicted")


@dataclass(frozen=True)
class Request:
    """What ``ecgan-detect`` was asked for.

    Attributes:
        run: folder, zip file or address of a bundle, or a run directory.
        input: series to score, see ``ecgan.publish.inputs.open_series``.
        out: ``.csv`` file to write.
        detector: the only one, None for all.
        fold: of a run directory.
        resample: bring series of another length or sampling rate to that of the training data.
        fs_hz: sampling rate of the series where their file does not tell, or tells it wrong.
        sha256: digest that the bundle must have.
    """

    run: str
    input: Path
    out: Path
    detector: str | None = None
    fold: int = 0
    resample: bool = False
    fs_hz: float | None = None
    sha256: str | None = None


def parse(given: Sequence[str]) -> Request:
    """Read ``run=… input=… out=… [detector=…] [fold=…] [resample=…] [fs_hz=…] [sha256=…]``.

    Raises:
        ConfigError: when a setting is unknown, missing, or not of its type.
    """
    known = arguments.settings(given, SETTINGS)
    if not known.get("run"):
        raise ConfigError("Which detector? Give run=<bundle, address or run directory>.")
    if not known.get("input"):
        raise ConfigError("Which series? Give input=<file>.npz, .npy, .csv, or a WFDB record.")
    if not known.get("out", "").lower().endswith(".csv"):
        raise ConfigError("Where to? Give out=<name>.csv.")
    return Request(
        known["run"],
        Path(known["input"]),
        Path(known["out"]),
        known.get("detector"),
        arguments.whole(known, "fold", 0),
        arguments.truth(known, "resample"),
        arguments.rate(known, "fs_hz"),
        known.get("sha256"),
    )


def score_input(request: Request, console: Console = SILENT) -> dict[str, tuple[int, int]]:
    """Score series as they are read and write one row per series and detector.

    The columns are ``index`` (from 0, in the order of the input), ``detector``, ``score``, ``p_value``, ``threshold``
    and ``predicted`` (1 = abnormal). The file appears when it is complete.

    Args:
        request: what to score with what.
        console: where to show progress.

    Returns:
        By detector: how many series there were, and how many of them are called abnormal.

    Raises:
        EcganError: when the detector cannot be loaded, the series do not fit it, or the file exists.
    """
    _refuse_taken(request.out)
    detector = load(request.run, request.detector, request.fold, request.sha256)
    names = detector.names if request.detector is None else (detector.name,)
    incoming = open_series(request.input, detector.parts.channels)
    fit = fitting(incoming, detector.parts, request.fs_hz, request.resample)
    counts = dict.fromkeys(names, 0)
    n = 0
    with replacing(request.out) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        stream.write(",".join(COLUMNS) + "\n")
        blocks = _fitted(_shown(incoming, detector.parts.batch, console), fit, request.input)
        for verdicts in detector.streamed(blocks, names):
            _rows(n, verdicts).to_csv(stream, header=False, index=False, lineterminator="\n")
            counts = {name: counts[name] + int(verdict.predicted.sum()) for name, verdict in verdicts.items()}
            n += len(verdicts[names[0]].score)
        if not n:
            raise DataError("There is no series to score; the input is empty.")
        _refuse_taken(request.out)  # somebody may have written there in the meantime
    return {name: (n, count) for name, count in counts.items()}


def fitting(
    incoming: Incoming, parts: Parts, fs_hz: float | None = None, resample: bool = False
) -> Callable[[FloatArray], FloatArray]:
    """What brings series to the length that the detector was trained on; refuses those that cannot be.

    Where both sampling rates are known they are what counts: series are resampled from one to the other, and must then
    have the right length, since stretching them would change how fast the heart beats. Else they are stretched.

    Args:
        incoming: the series.
        parts: what judges them.
        fs_hz: sampling rate of the series, if their file does not tell.
        resample: whether anything may be changed at all.

    Raises:
        DataError: when channels, unit, length or sampling rate are not those of the training data.
    """
    check_shape(incoming.shape, parts.channels, None)
    foreign = [unit for unit in incoming.units if parts.unit not in (NO_UNIT, unit)]
    if foreign:
        raise DataError(f"The series are in {foreign[0]}, but the detector was trained on {parts.unit}; convert them.")
    rate, length = fs_hz or incoming.fs_hz, incoming.shape[2]
    known = rate is not None and parts.fs_hz is not None
    same_rate = not known or _alike(rate, parts.fs_hz)
    if not same_rate and not resample:
        raise DataError(
            f"The series have {rate:g} Hz, but the detector was trained on {parts.fs_hz:g} Hz; give resample=true."
        )
    if length == parts.seq_len and same_rate:
        return lambda x: x
    if not resample:
        check_shape(incoming.shape, parts.channels, parts.seq_len)
    if known:
        return _to_rate(rate, parts, length)
    step = Interpolate(parts.seq_len)
    return lambda x: _applied(step, x, None)


def _to_rate(rate: float | None, parts: Parts, length: int) -> Callable[[FloatArray], FloatArray]:
    """Resample, if the duration is right; a length that is not whole in the new rate loses its last sample."""
    assert rate is not None  # noqa: S101 - callers look
    assert parts.fs_hz is not None  # noqa: S101 - callers look
    expected = length * parts.fs_hz / rate
    if not parts.seq_len - 1 < expected < parts.seq_len + 1:
        raise DataError(
            f"The series last {length / rate:g} s, but the detector was trained on {parts.seq_len / parts.fs_hz:g} s "
            f"at {parts.fs_hz:g} Hz; cut them as the training data were, since stretching would change their rhythm."
        )
    step = Polyphase(parts.fs_hz)

    def resampled(x: FloatArray) -> FloatArray:
        y = _applied(step, x, rate)[..., : parts.seq_len]
        missing = parts.seq_len - y.shape[-1]
        return np.pad(y, ((0, 0), (0, 0), (0, missing)), mode="edge") if missing else y

    return resampled


def _applied(step: Callable[[Recordings], Recordings], x: FloatArray, fs_hz: float | None) -> FloatArray:
    done = step(Recordings(x, np.zeros(len(x), np.int64), fs_hz, "1")).x
    return np.asarray(done, np.float32)


def _alike(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one / other - 1) <= RATE_TOLERANCE


def _fitted(blocks: Iterable[FloatArray], fit: Callable[[FloatArray], FloatArray], path: Path) -> Iterator[FloatArray]:
    """Blocks of series of the right length; refuses a series that is not complete, by its number in the file."""
    first = 0
    for x in blocks:
        broken = np.flatnonzero(unfit(x))
        if broken.size:
            raise DataError(
                f"Series {first + broken[0]} of {path} (counted from 0) holds a missing or infinite value; leave it "
                "out, or fill it in."
            )
        yield fit(x)
        first += len(x)


def _rows(first: int, verdicts: dict[str, Verdict]) -> pd.DataFrame:
    """Table of one row per series and detector, series after series."""
    n, names = len(next(iter(verdicts.values())).score), list(verdicts)
    columns = {
        "index": np.repeat(np.arange(first, first + n), len(names)),
        "detector": np.tile(np.array(names, dtype=object), n),
        "score": _interleaved([verdict.score for verdict in verdicts.values()]),
        "p_value": _interleaved([verdict.p_value for verdict in verdicts.values()]),
        "threshold": np.tile([verdict.threshold for verdict in verdicts.values()], n),
        "predicted": _interleaved([verdict.predicted for verdict in verdicts.values()]),
    }
    return pd.DataFrame(columns)[list(COLUMNS)]


def _interleaved(columns: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(columns, 1).ravel()


def _shown(incoming: Incoming, size: int, console: Console) -> Iterator[FloatArray]:
    """Hand blocks on and show how many series have been scored."""
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=incoming.shape[0] if incoming.shape[0] >= 0 else None)
        for x in incoming.blocks(size):
            yield x
            progress.advance(task, len(x))


def _refuse_taken(path: Path) -> None:
    if path.exists():
        raise RunError(f"{path} exists and is not overwritten; choose another name.")
