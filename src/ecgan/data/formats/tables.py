"""Label tables and numeric CSV files, read with checks that name the place of what is wrong."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgan.errors import DataError
from ecgan.types import FloatArray, IntArray

if TYPE_CHECKING:
    from pandas import DataFrame


def read_table(path: Path, columns: Sequence[str]) -> DataFrame:
    """Read some columns of an ``.xlsx`` or ``.csv`` file with a header row, all as text.

    Returns:
        One row per row of the file, numbered from 0; empty cells are empty text.

    Raises:
        DataError: when the file is missing or damaged, lacks a column, or has a row of another length.
    """
    try:
        table = _xlsx(path, columns) if path.suffix == ".xlsx" else _csv(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; fetch it again or put it there by hand.") from error
    except (OSError, ValueError, csv.Error) as error:
        reason = str(error).strip() or type(error).__name__
        raise DataError(f"{path} cannot be read as a table ({reason}); delete it and fetch it again.") from error
    lacking = [name for name in columns if name not in table]
    if lacking:
        raise DataError(f"{path} has no column {lacking[0]!r}; it is another file, so fetch the right one again.")
    return table[list(columns)]


def _xlsx(path: Path, columns: Sequence[str]) -> DataFrame:
    import pandas as pd

    try:
        return pd.read_excel(path, dtype=str, keep_default_na=False, usecols=lambda name: name in columns)
    except (OSError, ImportError):
        raise
    except Exception as error:  # damaged files make the reader raise nearly every type that Python has
        raise ValueError(str(error).strip() or type(error).__name__) from error


def _csv(path: Path) -> DataFrame:
    import pandas as pd

    # not by pandas, which takes rows that are too short, and even some that are too long
    with path.open(newline="", encoding="utf-8") as stream:
        header, *rows = list(csv.reader(stream, strict=True)) or [[]]
    wrong = next((i for i, row in enumerate(rows) if len(row) != len(header)), None)
    if wrong is not None:
        raise ValueError(f"row {wrong + 2} has {len(rows[wrong])} columns, not {len(header)}")
    return pd.DataFrame(rows, columns=header, dtype=str)


def whole_numbers(table: DataFrame, column: str, path: Path) -> IntArray:
    """Give a column as int64; ``3`` and ``3.0`` are the same.

    Raises:
        DataError: when a cell holds anything but a whole number.
    """
    import pandas as pd

    values = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values) | (values != np.round(values)))
    if wrong.size:
        cell = table[column].iloc[wrong[0]]
        raise DataError(f"{path} has {cell!r} in row {wrong[0] + 2}, column {column}; a whole number belongs there.")
    return values.astype(np.int64)


def read_numbers(content: bytes, columns: int, place: str | Path) -> FloatArray:
    """Read a CSV file of numbers without a header; ``NaN`` means missing.

    Args:
        content: of the file.
        columns: how many there must be.
        place: what to call the file when something is wrong.

    Returns:
        (rows, columns) float64.

    Raises:
        DataError: when the file is empty, has a row of another length, or a cell that is no finite number.
    """
    if not content.strip():
        raise DataError(f"{place} is empty; put a whole copy there.")
    try:
        values: FloatArray = np.loadtxt(io.BytesIO(content), delimiter=",", ndmin=2, comments=None, encoding="utf-8")
    except ValueError as error:
        raise DataError(_first_fault(content, columns, place)) from error
    if values.shape[1] != columns or np.isinf(values).any():
        raise DataError(_first_fault(content, columns, place))
    return values


def _first_fault(content: bytes, columns: int, place: str | Path) -> str:
    """Find the first row that is not as it should be; slow, and only for files that are wrong."""
    lines = content.decode("utf-8", errors="replace").splitlines()
    for row, line in enumerate(lines, 1):
        cells = line.split(",") if line.strip() else []
        if cells and len(cells) != columns:
            return f"{place} has {len(cells)} columns in row {row} instead of {columns}; put a whole copy there."
        for column, cell in enumerate(cells, 1):
            if not _is_number(cell):
                return f"{place} has {cell.strip()!r} in row {row}, column {column}; a finite number belongs there."
    return f"{place} is not a CSV file of numbers; put a whole copy there."


def _is_number(cell: str) -> bool:
    try:
        return not math.isinf(float(cell))
    except ValueError:
        return False
