"""Results of a run, recomputed from its predictions: ``results.csv``, ``summary.json``, ``report.html``, the table."""

from ecgan.report.collect import COLUMNS, MODEL, collect, fold_directories, summarize
from ecgan.report.screen import table
from ecgan.report.writing import write

__all__ = ["COLUMNS", "MODEL", "collect", "fold_directories", "summarize", "table", "write"]
