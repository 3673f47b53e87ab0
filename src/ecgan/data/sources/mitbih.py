"""MIT-BIH Arrhythmia: beats cut out of the raw records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ecgan.data.formats.records import Signals, lead_names, mended, read_annotations, read_signals
from ecgan.data.source import BaseSource
from ecgan.data.sources.dechazal import (
    AAMI,
    PARTITION,
    RECORDS,
    UNPACED,
    files_found,
    part,
    patient,
    record_list,
    records_found,
)
from ecgan.errors import ConfigError, DataError, did_you_mean
from ecgan.types import Card, FloatArray, IntArray, Recordings, RemoteFile

FS_HZ = 360.0
MLII = "MLII"
"""The modified limb lead II, first in nearly all records."""

BEAT_SYMBOLS = tuple("NLRBAaJSVrFejnE/fQ?")
"""Annotations that mark a beat; the others mark rhythm, noise and waves."""

LONGEST = 36_000
"""Samples of the longest window, 100 seconds: a record has two thousand beats or more, and each gets one."""

PADDED = 42
"""Windows of the default size that leave one of the 44 records without paced beats."""

UNPACED_COUNTS = {
    **{"N": 74546, "L": 8075, "R": 7259, "A": 2546, "a": 150, "J": 83, "S": 2, "V": 6903, "F": 803, "e": 16, "j": 229},
    **{"E": 106, "Q": 15},
}
"""Beats per symbol in the 44 records without paced beats."""

PACED_COUNTS = {"N": 506, "V": 227, "/": 7028, "f": 982, "Q": 18}
"""Beats per symbol in the four others."""


class MITBIH(BaseSource):
    """Beats of the MIT-BIH Arrhythmia Database 1.0.0: half-hour ECGs of 47 patients, two leads, cut at every beat.

    Shape (N, 2, 280) by default, unit mV, 360 Hz. Classes of AAMI EC57 with counts in the 44 records without paced
    beats: N 90,125; S 2,781; V 7,009; F 803; Q 15 (100,733 beats). With the four paced records: N 90,631; S 2,781;
    V 7,236; F 803; Q 8,043 (109,494 beats). Patients are known; de Chazal's partition (DS1 trains, DS2 tests) is kept
    as the ``official`` split.

    Licence: Open Data Commons Attribution 1.0. Cite: Moody and Mark (2001), doi:10.1109/51.932724; Goldberger et al.
    (2000), doi:10.1161/01.CIR.101.23.e215; data doi:10.13026/C2F305. Partition: de Chazal et al. (2004),
    doi:10.1109/TBME.2004.827359.

    Traps: records 201 and 202 are of one patient, yet de Chazal has one in each part. The second lead is V1 in most
    records, V2, V4 or V5 in others, so channel 2 does not mean the same everywhere. Record 114 has its leads swapped;
    by default MLII comes first there too, and only the paced records 102 and 104 have none. A window may hold
    parts of the neighboring beats. With the default window 42 beats of the 44 records are so near to an end of their
    record that the window leaves it.

    Args:
        before: samples of the window before the annotated sample.
        after: samples from the annotated sample on; both together are 36,000 at most.
        leads: names of the leads to take, in this order; both, MLII first, by default. Upper and lower case are the
            same. Beats of records that lack one are left out and counted.
        classes: ``aami``, ``symbol`` (every annotation symbol is a class), or symbols by class name, the normal class
            first; beats in no class are left out and counted.
        paced: whether to take records 102, 104, 107 and 217.
        edge: what happens to windows that leave their record: ``pad`` repeats the first or last sample of the record,
            ``drop`` leaves the beat out and counts it.
    """

    name = "mitbih"
    partition = PARTITION
    card = Card("beats of MIT-BIH Arrhythmia, two leads", 100_733, 280, 2, True, "ODC-By 1.0", 94)

    def __init__(
        self,
        before: int = 100,
        after: int = 180,
        leads: Sequence[str] | None = None,
        classes: str | Mapping[str, Sequence[str]] = "aami",
        paced: bool = False,
        edge: Literal["pad", "drop"] = "pad",
    ) -> None:
        if before < 0 or after < 1:
            raise ConfigError("dataset.before must be at least 0 and dataset.after at least 1; both count samples.")
        if before + after > LONGEST:
            raise ConfigError(
                f"dataset.before and dataset.after are {before + after:,} samples together; at most {LONGEST:,} are "
                "sensible."
            )
        if edge not in ("pad", "drop"):
            raise ConfigError(f"dataset.edge={edge} is unknown; valid are pad, drop.")
        self.before, self.after, self.edge = before, after, edge
        self.leads = lead_list(leads)
        self.wanted = RECORDS if paced else UNPACED
        counts = {s: UNPACED_COUNTS.get(s, 0) + (PACED_COUNTS.get(s, 0) if paced else 0) for s in BEAT_SYMBOLS}
        self.symbols = symbols_by_class(classes, [symbol for symbol, count in counts.items() if count])
        self.classes = tuple(self.symbols)
        usual = (before, after, leads, classes, paced) == (100, 180, None, "aami", False)
        number = f" ({PADDED} in the complete set)" if usual else ""
        text = f"windows that leave their record{number} are padded with its first or last sample"
        self.padding = text if edge == "pad" else ""
        self.note = self.padding
        if edge == "pad" and leads is None:
            self.expected = {name: sum(counts[s] for s in symbols) for name, symbols in self.symbols.items()}
        else:  # how many beats that leaves is known only after reading
            self.expected = {"records": len(self.wanted)}

    def files(self, raw: Path) -> tuple[RemoteFile, ...]:
        """All 48 records, so that other settings need no further download."""
        return record_list(raw)

    def found(self, raw: Path) -> tuple[str, ...]:
        """Files of the wanted records that are there; a mirror may hold only some."""
        return files_found(raw, self.wanted)

    def pieces(self, raw: Path) -> Sequence[str]:
        """Names of the records; those that lack a wanted lead are noted.

        Raises:
            DataError: when a record lacks a file, a header is damaged, or every record lacks a wanted lead.
        """
        records = records_found(raw, self.wanted)
        leads = {record: lead_names(raw, record) for record in records} if self.leads else {}
        lacking = [record for record, names in leads.items() if self._missing(names)]
        if leads and len(lacking) == len(leads):
            known = {name for names in leads.values() for name in names}
            unknown = self._missing(known)
            hint = "no record has them together; take fewer."
            if unknown:
                hint = f"{unknown[0]} is in none: {did_you_mean(unknown[0], known)}"
            raise DataError(f"No record in {raw} has all leads of dataset.leads={list(self.leads or ())}; {hint}")
        if lacking:
            text = f"records {', '.join(lacking)} lack a wanted lead and are left out"
            self.note = "; ".join(filter(None, (self.padding, text)))
        return records

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Cut the beats of one record.

        Raises:
            DataError: when a file is missing or damaged.
        """
        sample, symbol = read_annotations(raw, piece)
        beat = np.isin(symbol, BEAT_SYMBOLS)
        sample, symbol = sample[beat], symbol[beat]
        class_of = {symbol: i for i, symbols in enumerate(self.symbols.values()) for symbol in symbols}
        y = np.asarray([class_of.get(s, -1) for s in symbol.tolist()], np.int64)
        reasons = Counter(f"annotated {s}, which is in no class" for s in symbol[y < 0].tolist())
        signals = read_signals(raw, piece)
        check_record(raw, piece, signals)
        wanted = y >= 0
        if self._missing(signals.leads):
            reasons["of records that lack a wanted lead"] = int(wanted.sum())
            wanted[:] = False
        inside = (sample >= self.before) & (sample + self.after <= signals.x.shape[1])
        if self.edge == "drop" and not inside[wanted].all():
            reasons["with a window that leaves the record"] = int((wanted & ~inside).sum())
            wanted &= inside
        x = cut_beats(self._ordered(signals), sample[wanted], self.before, self.after)
        group, parts = np.full(len(x), patient(piece)), np.full(len(x), part(piece))
        return Recordings(x, y[wanted], signals.fs_hz, "mV", group, parts, reasons)

    def _missing(self, names: Iterable[str]) -> list[str]:
        there = {name.casefold() for name in names}
        return [lead for lead in self.leads or () if lead.casefold() not in there]

    def _ordered(self, signals: Signals) -> FloatArray:
        """Channels in the order wanted; the first stands in for a lacking one, as no such beat is taken."""
        if self.leads is None:
            order = sorted(range(len(signals.leads)), key=lambda i: signals.leads[i] != MLII)
        else:
            place = {name.casefold(): i for i, name in enumerate(signals.leads)}
            order = [place.get(lead.casefold(), 0) for lead in self.leads]
        return signals.x if order == list(range(len(signals.x))) else signals.x[order]


def lead_list(leads: Sequence[str] | None) -> tuple[str, ...] | None:
    """Give names of leads as a tuple, None as None.

    Raises:
        ConfigError: when they are no list of text, or one is there twice.
    """
    if leads is None:
        return None
    if isinstance(leads, str) or not isinstance(leads, Sequence) or not leads:
        raise ConfigError("dataset.leads is null or a list of names, such as [MLII].")
    other = [lead for lead in leads if not isinstance(lead, str)]
    if other:
        raise ConfigError(f"dataset.leads has {other[0]!r}, which is no name of a lead; names are text.")
    if len({lead.casefold() for lead in leads}) < len(leads):
        raise ConfigError(f"dataset.leads={list(leads)} names a lead twice; name each only once.")
    return tuple(leads)


def symbols_by_class(classes: str | Mapping[str, Sequence[str]], present: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Symbols of each class, the normal one first.

    Args:
        classes: ``aami``, ``symbol``, or symbols by class name.
        present: symbols that the records have; with ``symbol`` each is a class.

    Raises:
        ConfigError: when a symbol marks no beat or is in two classes, or a class has none, or a name or symbol is no
            text.
    """
    if not isinstance(classes, Mapping):
        if classes not in ("aami", "symbol"):
            raise ConfigError(
                f"dataset.classes={classes} is unknown; valid are aami, symbol, or symbols by class name."
            )
        return dict(AAMI) if classes == "aami" else {symbol: (symbol,) for symbol in present}
    for name, members in classes.items():
        if not isinstance(name, str):
            raise ConfigError(f"dataset.classes has {name!r} as a class, which is no text; put it in quotes.")
        if (
            isinstance(members, str)
            or not isinstance(members, Sequence)
            or not all(isinstance(s, str) for s in members)
        ):
            raise ConfigError(f"dataset.classes.{name} is {members!r}, but a list of symbols as text, such as [N, L].")
    symbols = {name: tuple(members) for name, members in classes.items()}
    used = [symbol for members in symbols.values() for symbol in members]
    unknown = [symbol for symbol in used if symbol not in BEAT_SYMBOLS]
    if unknown:
        raise ConfigError(
            f"dataset.classes has {unknown[0]!r}, which marks no beat; valid are {' '.join(BEAT_SYMBOLS)}."
        )
    if len(set(used)) != len(used) or not symbols or not all(symbols.values()):
        raise ConfigError("dataset.classes must give every class at least one symbol and no symbol to two classes.")
    return symbols


def check_record(raw: Path, record: str, signals: Signals) -> None:
    """Refuse a record that is not what the 48 of the database are.

    Raises:
        DataError: when the number of leads, the unit or the sampling rate is another one.
    """
    if signals.fs_hz != FS_HZ or signals.units != ("mV", "mV"):
        raise DataError(
            f"{raw / record}.hea has signals in {', '.join(signals.units)} at {signals.fs_hz:g} Hz, but MIT-BIH has "
            f"two in mV at {FS_HZ:g} Hz; {mended(raw)}."
        )


def cut_beats(x: FloatArray, at: IntArray, before: int, after: int) -> FloatArray:
    """Cut ``[at - before, at + after)`` around each beat; what leaves the record repeats its first or last sample.

    Args:
        x: (C, T) signals.
        at: (N,) samples.
        before: samples before ``at``.
        after: samples from ``at`` on.

    Returns:
        (N, C, before + after), of the type of ``x``.
    """
    if not len(at):  # a series may be shorter than a window
        return np.empty((0, len(x), before + after), x.dtype)
    left = max(0, before - int(at.min()))
    right = max(0, int(at.max()) + after - x.shape[1])
    if left or right:
        x = np.pad(x, ((0, 0), (left, right)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(x, before + after, axis=1)
    return windows.transpose(1, 0, 2)[at + (left - before)]
