"""Records and patients of MIT-BIH Arrhythmia, and the partition that de Chazal et al. made of them."""

from __future__ import annotations

from pathlib import Path

from ecgan.data.formats.records import record_files, refuse_incomplete
from ecgan.data.source import listed
from ecgan.types import TEST, TRAIN, UNUSED, RemoteFile

SUFFIXES = (".hea", ".dat", ".atr")
URL = "https://physionet.org/files/mitdb/1.0.0"
PARTITION = "de Chazal's DS1 / DS2"
"""Patients of DS1 train, those of DS2 test: de Chazal et al. (2004), doi:10.1109/TBME.2004.827359.

Record 201 is in DS1 and 202 in DS2 although both are of one patient, so that one patient is in both parts.
"""

DS1 = tuple(
    map(
        str,
        (101, 106, 108, 109, 112, 114, 115, 116, 118, 119, 122, 124, 201, 203, 205, 207, 208, 209, 215, 220, 223, 230),
    )
)
DS2 = tuple(
    map(
        str,
        (100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210, 212, 213, 214, 219, 221, 222, 228, 231, 232, 233, 234),
    )
)
PACED = ("102", "104", "107", "217")
"""Records with paced beats, which AAMI EC57 leaves out and which are in neither DS1 nor DS2."""

UNPACED = tuple(sorted(DS1 + DS2))
RECORDS = tuple(sorted(UNPACED + PACED))

AAMI = {
    "N": ("N", "L", "R", "e", "j"),
    "S": ("A", "a", "J", "S"),
    "V": ("V", "E"),
    "F": ("F",),
    "Q": ("/", "f", "Q"),
}
"""Classes of ANSI/AAMI EC57 and their symbols: normal, supraventricular, ventricular, fusion, other."""


def patient(record: str) -> int:
    """Number of the patient: that of the record, but 201 and 202 are of one patient."""
    return 201 if record == "202" else int(record)


def part(record: str) -> int:
    """TRAIN for records of DS1, TEST for those of DS2, UNUSED for paced ones."""
    return TRAIN if record in DS1 else TEST if record in DS2 else UNUSED


def record_list(raw: Path) -> tuple[RemoteFile, ...]:
    """Signals, headers and annotations of all 48 records at PhysioNet, with its checksums."""
    return listed(raw, URL, [record + suffix for record in RECORDS for suffix in SUFFIXES])


def files_found(raw: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Files of the wanted records whose header is in ``raw``; a mirror may hold only some records."""
    return tuple(name for record in wanted for name in record_files(raw, record, SUFFIXES))


def records_found(raw: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the wanted records whose header is in ``raw``, in order.

    Raises:
        DataError: when a record lacks its signals or annotations.
    """
    records = tuple(record for record in wanted if record_files(raw, record))
    refuse_incomplete(raw, records, SUFFIXES)
    return records
