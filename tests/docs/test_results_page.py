"""``docs/results.md`` is what ``results/`` says, and nothing in it was written by hand."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import yaml

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


@pytest.fixture(scope="module")
def results(results_page: object) -> ModuleType:
    return sys.modules["results"]


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


def rows(results: ModuleType, **columns: list[float]) -> pd.DataFrame:
    """Rows of one method and metric, as ``ecgan-report`` leaves them apart."""
    n = len(columns["mean"])
    table = pd.DataFrame({key: [float("nan")] * n for key in results.KEPT} | columns)
    return table.assign(split="official", model="cnn", detector="-", metric="accuracy", runs=1, folds=1, seeds=1)


def test_runs_of_several_seeds_become_one_row_with_their_spread(results: ModuleType) -> None:
    table = rows(results, mean=[0.9, 0.8, 0.7], test_low=[0.8, 0.7, 0.6], test_high=[1.0, 0.9, 0.8])
    (row,) = results.over_seeds(table, 3).to_dict("records")
    assert (row["mean"], row["sd"], row["test_low"], row["seeds"]) == pytest.approx((0.8, 0.1, 0.7, 3))
    assert row["high"] - row["mean"] == pytest.approx(4.302653 * 0.1 / 3**0.5)  # Student's, two degrees of freedom
    assert results.over_seeds(table.head(1), 3).equals(table.head(1))


def test_runs_that_differ_in_more_than_the_seed_are_not_averaged(results: ModuleType) -> None:
    with pytest.raises(ValueError, match="several commands have cnn with -"):
        results.over_seeds(rows(results, mean=[0.9, 0.8]), 1)


@pytest.mark.parametrize(
    ("second", "wrong"),
    [
        ({"seed": 1, "data": {"batch_size": 16, "new": 3}, "only": None}, None),
        ({"seed": 1, "data": {"batch_size": 64}, "only": None}, r"differ in data\.batch_size$"),
        ({"seed": 1, "data": {"batch_size": 16}, "only": 2}, "differ in only$"),
    ],
)
def test_seeds_of_one_command_have_the_same_settings(
    second: dict[str, object], wrong: str | None, results: ModuleType, tmp_path: Path
) -> None:
    first = {"seed": 0, "data": {"batch_size": 16}, "only": None}
    for name, config in (("a", first), ("b", second)):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        (tmp_path / name / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    found = {tmp_path / "a": ["model=cnn", "seed=0"], tmp_path / "b": ["model=cnn", "seed=1"]}
    if wrong is None:
        results.refuse_mixed(found)
    else:
        with pytest.raises(ValueError, match=wrong):
            results.refuse_mixed(found)
