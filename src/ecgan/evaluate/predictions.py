"""``predictions.csv``: one row per test series and the only source of every reported number."""

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


def predictions(
    index: IntArray, group: IntArray | None, label: IntArray, score: FloatArray, threshold: float
) -> pd.DataFrame:
    """Table of one row per series, sorted by index.

    Args:
        index: (N,) position in the store.
        group: (N,) patient, or None where unknown (the column is then empty).
        label: (N,) class.
        score: (N,) float64.
        threshold: scores above it are predicted abnormal.
    """
    table = pd.DataFrame(
        {
            "index": index,
            "group": pd.array([pd.NA] * len(index) if group is None else group, dtype="Int64"),
            "label": label,
            "abnormal": (label != 0).astype(np.int64),
            "score": score,
            "threshold": threshold,
            "predicted": (score > threshold).astype(np.int64),
        }
    )
    return table.sort_values("index", kind="stable", ignore_index=True)[list(COLUMNS)]


def write_predictions(path: Path, table: pd.DataFrame) -> None:
    """Write ``predictions.csv``; numbers keep all their digits."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_predictions(path: Path) -> pd.DataFrame:
    """Read ``predictions.csv``.

    Raises:
        RunError: when it is missing or damaged.
    """
    try:
        table = pd.read_csv(path, dtype=DTYPES, float_precision="round_trip")
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); run ecgan-detect again.") from error
    if tuple(table.columns) != COLUMNS:
        raise RunError(f"{path} has the columns {list(table.columns)}, expected {list(COLUMNS)}.")
    return table
