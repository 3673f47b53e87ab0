"""Generated series in results and reports, and folds that failed."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from ecgan import report
from ecgan.errors import RunError
from ecgan.files import write_json
from ecgan.report.collect import failures

QUALITY = """split,metric,value,low,high,reference
val,mmd,0.5,0.4,0.6,0.01
val,tstr_f1,,,,
test,mmd,{mmd},0.1,0.3,0.02
test,mmd_null_95,0.03,,,
test,recall,0.75,0.7,0.8,0.9
test,tstr_f1,,,,
"""
SERIES = {"name": "toy", "counts": {"normal": 10}, "groups_known": False, "grouping": "patient"}
WHY = "GAN diverged in epoch 3: the training value 'penalty' is nan; lower the learning rate."


def write_fold(directory: Path, number: int, mmd: float) -> None:
    folder = directory / f"fold_{number}" / "generation"
    folder.mkdir(parents=True)
    (folder / "quality.csv").write_text(QUALITY.format(mmd=mmd), encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three folds, the second of which is recorded as failed."""
    for number, mmd in enumerate((0.1, 99.0, 0.3)):
        write_fold(tmp_path, number, mmd)
    folds = {f"fold_{k}": {"status": "finished"} for k in (0, 2)} | {"fold_1": {"status": "failed", "error": WHY}}
    write_json(tmp_path / "run.json", {"dataset": SERIES, "detectors": [], "folds": folds})
    return tmp_path


def shown(directory: Path) -> str:
    text = StringIO()
    Console(file=text, width=200).print(report.table(directory))
    return " ".join(text.getvalue().split())


def test_every_measure_is_a_row_of_the_model_with_interval_and_reference(run: Path) -> None:
    report.write(run)
    results = pd.read_csv(run / "results.csv")
    assert set(results["detector"]) == {"-"}
    of_test = results.query("fold == 0 and split == 'test'").set_index("metric")["value"]
    expected = {
        "generated_mmd": 0.1,
        "generated_mmd_low": 0.1,
        "generated_mmd_high": 0.3,
        "generated_mmd_reference": 0.02,
        "generated_recall": 0.75,
        "generated_recall_reference": 0.9,
    }
    assert {name: of_test[name] for name in expected} == expected
    of_val = results.query("fold == 0 and split == 'val'").set_index("metric")["value"]
    assert of_val["generated_mmd"] == 0.5


def test_an_undefined_measure_stays_undefined(run: Path) -> None:
    summary = report.write(run)
    assert summary["-"]["generated_tstr_f1"]["n"] == 0
    written = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert written["-"]["generated_tstr_f1"] == {"mean": None, "std": None, "n": 0}
    assert "tstr_f1" not in shown(run)
    assert summary["-"]["generated_mmd_null_95"]["mean"] == pytest.approx(0.03)


def test_generated_and_real_stand_side_by_side(run: Path) -> None:
    report.write(run)
    text = shown(run)
    assert "Generated series" in text
    assert "0.7500 ± 0.0000 0.9000 ± 0.0000" in text
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<th>generated</th><th>real</th>" in page
    assert "a perfect generator would give the same" in page


def test_a_fold_that_failed_is_not_counted_and_named(run: Path) -> None:
    summary = report.write(run)
    assert summary["-"]["generated_mmd"] == {"mean": pytest.approx(0.2), "std": pytest.approx(0.1414, abs=1e-4), "n": 2}
    assert set(pd.read_csv(run / "results.csv")["fold"]) == {0, 2}
    assert [fold.name for fold in report.fold_directories(run)] == ["fold_0", "fold_2"]
    assert failures(run) == {"fold_1": WHY}
    sentence = f"fold 1 failed and is not counted: {WHY}"
    assert sentence in shown(run)
    assert "over 2 folds" in shown(run)
    assert sentence.replace("'", "&#x27;") in (run / "report.html").read_text(encoding="utf-8")
    assert "99" not in shown(run)


def test_where_all_folds_failed_there_are_no_results(run: Path) -> None:
    folds = {f"fold_{k}": {"status": "failed", "error": WHY} for k in range(3)}
    write_json(run / "run.json", {"dataset": SERIES, "detectors": [], "folds": folds})
    with pytest.raises(RunError, match="holds no results yet"):
        report.write(run)


def test_runs_from_before_folds_could_fail_are_read(run: Path) -> None:
    write_json(run / "run.json", {"dataset": SERIES, "detectors": []})
    report.write(run)
    assert set(pd.read_csv(run / "results.csv")["fold"]) == {0, 1, 2}
