"""Scores as p-values: how many normal series would score as high.

A score says nothing by itself. Against n validation normals it becomes ``p = (1 + m) / (n + 1)``, where m of them score
as high or higher. Of new normal series that are exchangeable with them no more than a share ``a`` has ``p <= a``,
whatever the distribution of the scores.

Source: Bates et al. (2023), Testing for outliers with conformal p-values, doi:10.1214/22-AOS2244.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecgan.errors import DataError
from ecgan.types import FloatArray

NAN = float("nan")
RATE = 0.05


def p_values(scores: FloatArray, normals: FloatArray) -> FloatArray:
    """P-value of each score.

    Args:
        scores: (N,) of any series.
        normals: (n,) of validation normals.

    Returns:
        (N,) from ``1 / (n + 1)``, for a score above all normals, to 1.

    Raises:
        DataError: when there are no normals, or a score is NaN.
    """
    if not len(normals):
        raise DataError("There are no validation normals to compare scores with; enlarge split.val_size.")
    if np.isnan(scores).any() or np.isnan(normals).any():
        raise DataError("A score is NaN and has no p-value; mend the scorer.")
    as_high = len(normals) - np.searchsorted(np.sort(normals), scores, side="left")
    return (1 + as_high) / (len(normals) + 1)


def calibration_metrics(predictions: pd.DataFrame, validation: pd.DataFrame) -> dict[str, float]:
    """Share of test normals with a p-value of 0.05 or less, ``false_alarms_at_5``.

    It is about 0.05 where they are like the validation normals, and larger where the detector takes new normal series
    for odd, as those of other patients may be. It is NaN without test normals, and with fewer than 19 validation
    normals, which give no such p-value to anything.

    Args:
        predictions: columns ``abnormal`` and ``score`` of the test part.
        validation: the same of the validation part.
    """
    test, val = (table["score"][table["abnormal"] == 0].to_numpy(np.float64) for table in (predictions, validation))
    if not len(test) or 1 / (len(val) + 1) > RATE:
        return {"false_alarms_at_5": NAN}
    return {"false_alarms_at_5": float((p_values(test, val) <= RATE).mean())}
