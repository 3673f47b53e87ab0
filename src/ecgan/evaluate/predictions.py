"""``predictions.csv``: one row per test series and the only source of every reported number; ``validation.csv``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ecgan.errors import RunError
from ecgan.files import replacing
from ecgan.types import FloatArray, IntArray

DTYPES = {
    "index": "int64",
    "group": "Int64",
    "label": "int64",
    "abnormal": "int64",
    "score": "float64",
    "threshold": "float64",
    "predicted": "int64",
}
COLUMNS = tuple(DTYPES)
SCORES = COLUMNS[:5]


def scores(index: IntArray, group: IntArray | None, label: IntArray, score: FloatArray) -> pd.DataFrame:
    """Table of one row per series, sorted by index: the content of ``validation.csv``.

    Args:
        index: (N,) position in the store.
        group: (N,) patient, or None where unknown (the column is then empty).
        label: (N,) class.
        score: (N,) float64.
    """
    table = pd.DataFrame(
        {
            "index": index,
            "group": pd.array([pd.NA] * len(index) if group is None else group, dtype="Int64"),
            "label": label,
            "abnormal": (label != 0).astype(np.int64),
            "score": score,
        }
    )
    return table.sort_values("index", kind="stable", ignore_index=True)


def predictions(
    index: IntArray, group: IntArray | None, label: IntArray, score: FloatArray, threshold: float
) -> pd.DataFrame:
    """The same with what a threshold makes of the scores: the content of ``predictions.csv``.

    Args:
        index: (N,) position in the store.
        group: (N,) patient, or None where unknown.
        label: (N,) class.
        score: (N,) float64.
        threshold: scores above it are predicted abnormal.
    """
    table = scores(index, group, label, score)
    predicted = (table["score"] > threshold).astype(np.int64)
    return table.assign(threshold=float(threshold), predicted=predicted)[list(COLUMNS)]


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV; numbers keep all their digits."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_predictions(path: Path) -> pd.DataFrame:
    """Read ``predictions.csv``.

    Raises:
        RunError: when it is missing or damaged.
    """
    return _read(path, COLUMNS)


def read_scores(path: Path) -> pd.DataFrame:
    """Read ``validation.csv``.

    Raises:
        RunError: when it is missing or damaged.
    """
    return _read(path, SCORES)


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=DTYPES, float_precision="round_trip")
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); run ecgan-detect again.") from error
    if tuple(table.columns) != columns:
        raise RunError(f"{path} has the columns {list(table.columns)}, expected {list(columns)}.")
    return table
