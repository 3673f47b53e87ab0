"""``lightning/metrics.csv``: all that is logged, written whole each time, so that no row is torn or doubled."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from torch import Tensor

from ecgan.files import replacing

FOLDER, FILE = "lightning", "metrics.csv"
FLUSH_S = 1.0
"""How old the file may be at most; writing it more often would cost short epochs more than they take."""


class MetricsFile(Logger):
    """Rows of metrics in memory and, soon after, in the file.

    Lightning's own logger deletes the rows of an interrupted training before it goes on.

    Args:
        fold: folder of the fold.
    """

    def __init__(self, fold: Path) -> None:
        super().__init__()
        self.path = fold / FOLDER / FILE
        self.rows: list[dict[str, float]] = []
        self._written = time.monotonic()

    @property
    def name(self) -> str:
        """There is one per fold."""
        return ""

    @property
    def version(self) -> str:
        """Folder of the file."""
        return FOLDER

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The run directory holds them already."""

    def log_metrics(self, metrics: Mapping[str, float | Tensor], step: int | None = None) -> None:
        """Add a row."""
        values = {name: value.item() if isinstance(value, Tensor) else value for name, value in metrics.items()}
        self.rows.append(values | {"step": len(self.rows) if step is None else step})
        if time.monotonic() - self._written > FLUSH_S:
            self.save()

    def save(self) -> None:
        """Write all rows."""
        if not self.rows:
            return
        names = sorted(set().union(*self.rows))
        with replacing(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, names)
            writer.writeheader()
            writer.writerows(self.rows)
        self._written = time.monotonic()

    def finalize(self, status: str) -> None:
        """Write what is left."""
        self.save()
