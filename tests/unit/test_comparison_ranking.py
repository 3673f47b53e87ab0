"""Tests over data sets, and the price of leakage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from ecgan.comparison import compare, parse
from ecgan.comparison.command import Report
from ecgan.comparison.leakage import pairs_of
from ecgan.evaluate.significance import mean_ranks, pairwise
from ecgan.files import write_json
from finished_runs import BEATGAN, write_run

VALUES = np.random.default_rng(3).uniform(0.5, 0.9, (7, 3)) + np.array([0, 0.02, 0.3])
"""Of seven data sets and three detectors."""
NAMES = ("first", "second", "third")


def report_of(folder: Path, **given: str) -> Report:
    return compare(parse([str(folder), f"out={folder / 'out'}", *(f"{key}={value}" for key, value in given.items())]))


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Seven data sets, each with two folds around the values."""
    for number, of_set in enumerate(VALUES):
        values = {name: {"auroc": [v - 0.01, v + 0.01]} for name, v in zip(NAMES, of_set, strict=True)}
        write_run(tmp_path / f"run{number}", values, dataset=f"set{number}")
    return tmp_path


def test_each_data_set_is_one_number(many: Path) -> None:
    ((_, found),) = report_of(many).rankings
    assert found.methods == [f"autoencoder + {name}" for name in NAMES]
    assert found.datasets == [f"set{number}" for number in range(7)]
    assert found.values == pytest.approx(VALUES)
    assert found.ranks == pytest.approx(mean_ranks(VALUES))
    assert found.corrected == pytest.approx(pairwise(VALUES)[1])


def test_ranks_and_pairs_are_in_the_report_with_a_diagram(many: Path) -> None:
    report_of(many)
    text = (many / "out" / "table.md").read_text("utf-8")
    best = re.search(r"\| autoencoder \+ third \| 1\.00 \|", text)
    assert best is not None
    assert "no p below 0.016 can come out" in text
    assert "| autoencoder + third | autoencoder + second | 7 / 0 / 0 | 0.0156 | 0.0469 | differ |" in text
    assert (many / "out" / "ranks_detection.png").read_bytes().startswith(b"\x89PNG")
    assert "data:image/png;base64," in (many / "out" / "report.html").read_text("utf-8")


def test_a_diagram_of_an_earlier_report_does_not_stay(many: Path) -> None:
    report_of(many)
    report_of(many, dataset="set0,set1")
    assert not (many / "out" / "ranks_detection.png").exists()


def test_nothing_is_tested_over_folds(tmp_path: Path) -> None:
    values = {name: {"auroc": list(VALUES[:, column])} for column, name in enumerate(NAMES)}
    write_run(tmp_path / "a", values)
    write_run(tmp_path / "b", values, dataset="other")
    report = report_of(tmp_path)
    assert report.rankings == []
    text = (tmp_path / "out" / "table.md").read_text("utf-8")
    assert "No test: 3 methods on 2 data sets in common" in text
    assert "are no independent sample, so nothing is tested over folds" in text
    assert "p (Holm)" not in text


@pytest.mark.parametrize("metric", ["auroc", "specificity"])
def test_nothing_is_tested_where_no_method_has_the_metric(tmp_path: Path, metric: str) -> None:
    """A test part of normals only has no AUROC, and a classifier no specificity."""
    write_run(tmp_path / "a", {"-": {"accuracy": [0.9]}, "knn": {"auroc": [None], "specificity": [0.9]}})
    assert report_of(tmp_path, metric=metric).rankings == []
    assert "No test: 0 methods on 0 data sets in common" in (tmp_path / "out" / "table.md").read_text("utf-8")


def test_a_detector_that_is_the_same_beside_every_model_is_one_method(many: Path) -> None:
    for number, of_set in enumerate(VALUES):
        v = of_set[0]
        values = {"first": {"auroc": [v - 0.01, v + 0.01]}, "second": {"auroc": [0.4, 0.4]}}
        write_run(many / f"other{number}", values, dataset=f"set{number}", model=BEATGAN)
    ((_, found),) = report_of(many).rankings
    assert sorted(found.methods) == ["Other + second", "autoencoder + second", "autoencoder + third", "first"]


def test_methods_that_lack_a_data_set_are_left_out_and_named(many: Path) -> None:
    write_run(many / "more", {"rare": {"auroc": [0.6]}}, dataset="set0", splits="set0True")
    ((_, found),) = report_of(many).rankings
    assert [name for name in found.methods if "rare" in name] == []
    assert any("autoencoder + rare" in note for note in found.notes)


def test_means_over_other_folds_are_named(many: Path) -> None:
    assert not any("same folds" in note for note in report_of(many).rankings[0][1].notes)
    for number, of_set in enumerate(VALUES):
        few = [of_set[0]] if number in (2, 5) else [of_set[0], of_set[0]]
        write_run(many / f"few{number}", {"few": {"auroc": few}}, dataset=f"set{number}", splits=f"set{number}True")
    ((_, found),) = report_of(many).rankings
    assert "autoencoder + few" in found.methods
    assert "Means are not over the same folds for every method on: set2, set5." in found.notes


def test_two_divisions_of_the_same_data_are_one_sample(many: Path) -> None:
    write_run(many / "mixed", {name: {"auroc": [0.99, 0.99]} for name in NAMES}, dataset="set3", group=False)
    ((_, found),) = report_of(many).rankings
    assert found.values == pytest.approx(VALUES)
    assert any(note.endswith("counts: set3 (groups kept apart, splits set3True).") for note in found.notes)


def test_the_price_is_the_difference_of_the_same_method(tmp_path: Path) -> None:
    for group, (knn, pca) in ((False, (0.95, 0.7)), (True, (0.8, 0.75))):
        values = {"knn": {"auroc": [knn, knn]}, "pca": {"auroc": [pca, pca]}}
        write_run(tmp_path / str(group), values, group=group)
    write_run(tmp_path / "another", {"knn": {"auroc": [0.1, 0.1]}}, group=False, latent=9)
    report = report_of(tmp_path)
    pairs = pairs_of(report.rows)
    assert [(pair.mixed.detector, pair.also) for pair in pairs] == [("knn", ""), ("pca", "")]
    text = (tmp_path / "out" / "table.md").read_text("utf-8")
    price = text[text.index("## Price of leakage") :]
    assert "| patients mixed | patients kept apart | price of leakage |" in price
    assert re.search(r"\+ knn .*\| AUROC \| 0\.950 ± 0\.000 \| 0\.800 ± 0\.000 \| \+0\.150 \|", price)
    assert re.search(r"\+ pca .*\| AUROC \| 0\.700 ± 0\.000 \| 0\.750 ± 0\.000 \| -0\.050 \|", price)


def test_splits_that_differ_in_more_are_paired_only_where_there_are_no_others(tmp_path: Path) -> None:
    write_run(tmp_path / "apart", {"knn": {"auroc": [0.8]}}, seed=0)
    write_run(tmp_path / "mixed", {"knn": {"auroc": [0.9]}}, seed=1, group=False)
    (pair,) = pairs_of(report_of(tmp_path).rows)
    assert pair.also == "seed: 1 / 0"
    assert "also differs" in (tmp_path / "out" / "table.md").read_text("utf-8")
    write_run(tmp_path / "exact", {"knn": {"auroc": [0.95]}}, seed=0, group=False, splits="exact")
    (pair,) = pairs_of(report_of(tmp_path).rows)
    assert (pair.also, pair.mixed.protocol.splits) == ("", "exact")


def test_the_price_names_no_patients_where_some_groups_are_records(tmp_path: Path) -> None:
    for number, grouping in enumerate(("patient", "record")):
        for group in (False, True):
            place = tmp_path / f"{number}{group}"
            write_run(place, {"knn": {"auroc": [0.8]}}, dataset=f"set{number}", group=group)
            facts = json.loads((place / "run.json").read_text("utf-8"))
            facts["protocol"]["grouping"] = grouping
            write_json(place / "run.json", facts)
    report_of(tmp_path)
    assert "| groups mixed | groups kept apart |" in (tmp_path / "out" / "table.md").read_text("utf-8")


def test_there_is_no_price_where_groups_are_unknown_or_bounds_are_compared(tmp_path: Path) -> None:
    write_run(tmp_path / "a", {"knn": {"auroc": [0.8]}}, groups_known=False)
    write_run(tmp_path / "b", {"knn": {"auroc": [0.9]}}, groups_known=False, group=False)
    for group in (False, True):
        write_run(tmp_path / str(group), {"best": {"auroc": [0.9]}}, group=group, supervision={"best": "oracle"})
    assert report_of(tmp_path).price is None


def test_latex_escapes_names_and_closes_every_table(tmp_path: Path) -> None:
    write_run(tmp_path / "a", {"k_n&n": {"auroc": [0.8, 0.9]}}, dataset="50%_set<a|b>")
    report_of(tmp_path)
    text = (tmp_path / "out" / "table.tex").read_text("utf-8")
    assert r"50\%\_set\textless{}a\textbar{}b\textgreater{} & A & autoencoder & k\_n\&n" in text
    assert r"$\pm$" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def test_names_cannot_break_the_page_or_the_table(tmp_path: Path) -> None:
    write_run(tmp_path / "a", {"knn": {"auroc": [0.8]}}, dataset="<b>a|b</b>")
    report_of(tmp_path)
    assert "<b>" not in (tmp_path / "out" / "report.html").read_text("utf-8")
    assert r"&lt;b>a\|b&lt;/b>" in (tmp_path / "out" / "table.md").read_text("utf-8")


def test_names_in_notes_cannot_break_the_page(many: Path) -> None:
    values = {name: {"auroc": [0.7, 0.8]} for name in NAMES}
    write_run(many / "hostile", values, dataset="<img src=x>")
    report_of(many)
    for name in ("report.html", "table.md"):
        assert "<img src=x>" not in (many / "out" / name).read_text("utf-8")


def test_of_false_alarms_fewer_are_better(many: Path) -> None:
    for number, of_set in enumerate(VALUES):
        alarms = {name: {"false_alarms_at_5": [v]} for name, v in zip(NAMES, of_set, strict=True)}
        write_run(many / f"alarms{number}", alarms, dataset=f"set{number}", seed=1)
    ((_, found),) = report_of(many, metric="false_alarms_at_5").rankings
    assert found.ranks == pytest.approx(mean_ranks(VALUES, larger_is_better=False))
