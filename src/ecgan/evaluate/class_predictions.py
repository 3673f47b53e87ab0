"""``classification/predictions.csv``: one row per test series, the only source of a classifier's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ecgan.errors import RunError
from ecgan.types import FloatArray, IntArray

DTYPES = {"index": "int64", "group": "Int64", "label": "int64", "predicted": "int64"}
PREFIX = "p_"


def class_predictions(
    index: IntArray, group: IntArray | None, label: IntArray, probability: FloatArray
) -> pd.DataFrame:
    """Table of one row per series, sorted by index.

    Args:
        index: (N,) position in the store.
        group: (N,) patient, or None where unknown (the column is then empty).
        label: (N,) class as the model was told it.
        probability: (N, K) float64 probability of each class; the most probable one is predicted, of several the
            first.
    """
    columns = {
        "index": index,
        "group": pd.array([pd.NA] * len(index) if group is None else group, dtype="Int64"),
        "label": label,
        "predicted": probability.argmax(1),
        **{f"{PREFIX}{c}": column for c, column in enumerate(probability.T)},
    }
    return pd.DataFrame(columns).sort_values("index", kind="stable", ignore_index=True)


def probabilities(table: pd.DataFrame) -> FloatArray:
    """The probabilities (N, K) of a table."""
    return table[[name for name in table.columns if name.startswith(PREFIX)]].to_numpy(np.float64)


def read_class_predictions(path: Path) -> pd.DataFrame:
    """Read ``classification/predictions.csv``.

    Raises:
        RunError: when it is missing or damaged, or names a class that has no column of probabilities.
    """
    try:
        table = pd.read_csv(path, dtype=DTYPES, float_precision="round_trip")
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); run ecgan-detect again.") from error
    n_classes = len(table.columns) - len(DTYPES)
    expected = [*DTYPES, *(f"{PREFIX}{c}" for c in range(n_classes))]
    if list(table.columns) != expected or n_classes < 1:
        raise RunError(f"{path} has the columns {list(table.columns)}, expected {[*DTYPES, 'p_0', '…']}.")
    if not table[["label", "predicted"]].isin(range(n_classes)).all(axis=None):
        raise RunError(f"{path} names a class beyond its {n_classes} columns of probabilities; run ecgan-detect again.")
    return table
