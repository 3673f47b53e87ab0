"""``docs/results.md`` is what ``results/`` says, and nothing in it was written by hand."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest

from ecgan.config import compose

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results_page() -> object:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import results_page

        return results_page
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def entries(page: object) -> dict[str, dict[str, object]]:
    return page.entries()  # type: ignore[attr-defined, no-any-return]


def test_the_page_is_made_of_the_results(results_page: object) -> None:
    written = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert written == results_page.page()  # type: ignore[attr-defined]


def test_every_file_of_results_has_an_entry_and_a_figure(results_page: object) -> None:
    names = [file.stem for file in (ROOT / "results").glob("*.csv") if file.stem != "benchmarks"]
    assert names
    assert set(names) <= set(entries(results_page))
    for name in names:
        assert (ROOT / "docs" / "figures" / f"results_{name}.png").is_file()


def test_every_entry_composes(results_page: object) -> None:
    for entry in entries(results_page).values():
        for settings in entry["runs"]:  # type: ignore[attr-defined]
            words = [word for word in shlex.split(settings) if not word.startswith("hydra.")]
            assert compose(words).model is not None


def test_numbers_on_the_page_are_those_of_the_files(results_page: object) -> None:
    """Read here without the code that writes the page."""
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for name, entry in entries(results_page).items():
        file = ROOT / "results" / f"{name}.csv"
        if not file.is_file():
            continue
        part = text.partition(f"## {entry['title']}\n")[2].partition("\n## ")[0]
        table = pd.read_csv(file)
        metric = entry["shown"][0]  # type: ignore[index]
        means = table.loc[table["metric"] == metric, "mean"]
        assert len(means)
        for mean in means.dropna():
            assert re.search(rf"\| {mean:.3f}( |$)", part), f"{metric} {mean:.3f} of {name}"
