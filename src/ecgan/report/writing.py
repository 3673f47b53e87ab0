"""The files of a run that hold its results."""

from __future__ import annotations

from pathlib import Path

from ecgan.checks import RESERVED
from ecgan.files import replacing, write_json, write_text
from ecgan.report.collect import Summary, collect, summarize
from ecgan.report.page import page
from ecgan.report.words import protocol


def write(directory: Path, title: str | None = None) -> Summary:
    """Write ``results.csv``, ``summary.json`` and ``report.html``; return the metrics of the summary.

    Args:
        directory: of the run.
        title: of the page, by default the directory's name.
    """
    results = collect(directory)
    with replacing(directory / "results.csv") as temporary:
        results.to_csv(temporary, index=False, lineterminator="\n")
    summary = summarize(results)
    write_json(directory / "summary.json", {RESERVED: protocol(directory), **summary})
    write_text(directory / "report.html", page(directory, results, title or directory.name))
    return summary
