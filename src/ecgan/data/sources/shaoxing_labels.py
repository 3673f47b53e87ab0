"""The labels of Chapman-Shaoxing: the rhythm of each recording, and the SNOMED CT codes of PhysioNet's headers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ecgan.data.formats.tables import read_table
from ecgan.errors import DataError, did_you_mean
from ecgan.types import RemoteFile

if TYPE_CHECKING:
    from pandas import DataFrame

LABELS = RemoteFile(
    "Diagnostics.xlsx",
    "https://figshare.com/ndownloader/files/15653771",
    "5c508faccf394bdeef092963ce3e6a8ce0bd7388f07a9ee6c25043375533a899",
)

RHYTHMS = {
    "SR": 1826,
    "SB": 3889,
    "AFIB": 1780,
    "ST": 1568,
    "SVT": 587,
    "AF": 445,
    "SA": 399,
    "AT": 121,
    "AVNRT": 16,
    "AVRT": 8,
    "SAAWR": 7,
}
"""Recordings of each rhythm; the normal one first."""
RECORDINGS = sum(RHYTHMS.values())
NINGBO = 34_905
SNOMED = {
    "426783006": "SR",
    "426177001": "SB",
    "164889003": "AFIB",
    "427084000": "ST",
    "426761007": "SVT",
    "164890007": "AF",
    "427393009": "SA",
    "713422000": "AT",
    "233896004": "AVNRT",  # the code of the database
    "251166008": "AVNRT",  # the code of the Challenge
    "233897008": "AVRT",
    "195101003": "SAAWR",  # the code of the database
    "17366009": "SAAWR",  # the code of the Challenge
}


def rhythms(path: Path) -> DataFrame:
    """Read the labels of all recordings.

    Returns:
        Columns ``FileName`` and ``Rhythm``; the index is the number of the recording, from 1.

    Raises:
        DataError: when the file is missing or damaged, lacks a column or rows, or names an unknown rhythm.
    """
    table = read_table(path, ("FileName", "Rhythm"))
    if len(table) != RECORDINGS:
        raise DataError(
            f"{path} has {len(table):,} rows instead of {RECORDINGS:,}, so they cannot be told to recordings by "
            "number; delete it and fetch it again."
        )
    table["Rhythm"] = table["Rhythm"].str.strip()
    table.index += 1
    unknown = table[~table["Rhythm"].isin(list(RHYTHMS))]
    if len(unknown):
        row, label = unknown.index[0] + 1, unknown["Rhythm"].iloc[0]
        raise DataError(f"{path} has the unknown rhythm {label!r} in row {row}; {did_you_mean(label, RHYTHMS)}")
    return table


def coded_rhythms(comments: Sequence[str]) -> list[str]:
    """Rhythms among the SNOMED CT codes of a header's comments, each once."""
    codes = [code.strip() for line in comments if line.startswith("Dx:") for code in line[3:].split(",")]
    return sorted({SNOMED[code] for code in codes if code in SNOMED})
