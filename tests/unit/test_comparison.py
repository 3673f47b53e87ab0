"""Many runs in one table: what is averaged, what is kept apart, what is not counted."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ecgan.comparison import compare, parse
from ecgan.comparison.command import Report, read_all
from ecgan.comparison.rows import Row, rows_of
from ecgan.comparison.settings import labels, method_text, model_name, sections
from ecgan.errors import ConfigError, DataError, RunError
from ecgan.files import write_json
from finished_runs import AUTOENCODER, BEATGAN, CONFIG, write_run

KNN = {"knn": {"auroc": [0.8, 0.9]}}


def report_of(*folders: Path, **given: str) -> Report:
    words = [str(folder) for folder in folders]
    return compare(parse([*words, *(f"{key}={value}" for key, value in given.items())]))


def rows_in(folder: Path) -> list[Row]:
    return rows_of(read_all([folder], []))[0]


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_folds_and_seeds_of_the_same_folds_are_one_row(tmp_path: Path) -> None:
    values = [[0.8, 0.9, 0.7], [0.85, 0.95, 0.6]]
    for seed, own in enumerate(values):
        write_run(tmp_path / "runs" / str(seed), {"knn": {"auroc": own}}, seed=seed)
    report_of(tmp_path / "runs", out=str(tmp_path / "out"), confidence="0.9")
    (line,) = lines(tmp_path / "out")
    flat = np.ravel(values)
    low, high = stats.t.interval(0.9, len(flat) - 1, flat.mean(), stats.sem(flat))
    expected = {"mean": flat.mean(), "sd": flat.std(ddof=1), "low": low, "high": high}
    assert {key: float(line[key]) for key in expected} == pytest.approx(expected)
    assert (line["runs"], line["folds"], line["seeds"], line["n_defined"]) == ("2", "3", "2", "6")
    assert (line["dataset"], line["model"], line["detector"]) == ("toy", "autoencoder", "knn")


@pytest.mark.parametrize(
    "change",
    [
        {"splits": "other"},
        {"data": "other"},
        {"dataset": "another"},
        {"supervision": {"knn": "val_labelled"}},
        {"group": False},
        {"groups_known": False},
        {"latent": 7},
        {"epochs": 3},
        {"k": 9},
        {"model": BEATGAN},
    ],
    ids=str,
)
def test_what_differs_in_more_than_the_seed_is_never_averaged(tmp_path: Path, change: dict[str, Any]) -> None:
    same = {"splits": "one"}
    write_run(tmp_path / "a", KNN, **same)
    write_run(tmp_path / "b", {"knn": {"auroc": [0.1, 0.2]}}, seed=1, **(same | change))
    means = {round(row.entry("auroc").mean, 6) for row in rows_in(tmp_path)}  # type: ignore[union-attr]
    assert means == {0.85, 0.15}


def test_a_setting_is_ignored_in_its_own_section_only() -> None:
    for section, ignored in (("transform", False), ("model", False), ("trainer", True)):
        one, other = (method_text(sections(f"{section}:\n  threads: {n}\n")) for n in (1, 2))
        assert (one == other) is ignored
    assert method_text(sections("transform:\n  seed: 1\n")) != method_text(sections("transform:\n  seed: 2\n"))


def test_another_device_is_the_same_method(tmp_path: Path) -> None:
    write_run(tmp_path / "a", KNN)
    write_run(tmp_path / "b", KNN, seed=1, accelerator="gpu")
    (row,) = rows_in(tmp_path)
    assert row.seeds == [0, 1]


def test_rows_of_one_name_say_what_differs(tmp_path: Path) -> None:
    for number, (latent, k) in enumerate(((5, 5), (7, 5), (7, 9))):
        write_run(tmp_path / str(number), KNN, latent=latent, k=k)
    assert [row.label for row in rows_in(tmp_path)] == ["latent=5, k=5", "latent=7, k=5", "latent=7, k=9"]
    write_run(tmp_path / "single" / "0", KNN, latent=3)
    assert [row.label for row in rows_in(tmp_path / "single")] == [""]


def test_labels_are_as_short_as_they_can_be() -> None:
    texts = ["a: {x: 1, y: {x: 2}}\n", "a: {x: 3, y: {x: 4}}\n"]
    assert list(labels(texts).values()) == ["a.x=1, y.x=2", "a.x=3, y.x=4"]
    assert labels(["a: {z: 1}\n", "a: {}\n"]) == {"a: {z: 1}\n": "z=1", "a: {}\n": "a={}"}


def test_the_same_seed_twice_counts_once_and_is_listed(tmp_path: Path) -> None:
    first = write_run(tmp_path / "1", KNN)
    shutil.copytree(first, tmp_path / "2")
    # a later detection with the run's own settings, and its two folds again
    again = write_run(first / "detections" / "001", KNN, facts={"detection_of": str(first)})
    report = report_of(tmp_path, out=str(tmp_path / "out"))
    (row,) = report.rows
    assert row.runs == [str(first)]
    assert row.entry("auroc").n == 2  # type: ignore[union-attr]
    assert {item.directory: item.status for item in report.problems} == {tmp_path / "2": "repeat", again: "repeat"}


def test_folds_that_ran_apart_are_put_together(tmp_path: Path) -> None:
    write_run(tmp_path / "both", {"knn": {"auroc": [0.8, 0.9]}})
    write_run(tmp_path / "third", {"knn": {"auroc": [0.0, 0.0, 0.7]}})
    write_run(tmp_path / "seed", {"knn": {"auroc": [0.6]}}, seed=4)
    (row,) = rows_in(tmp_path)
    found = dict(zip(row.keys, row.cells["auroc"], strict=True))
    assert found == {(0, 0): 0.8, (0, 1): 0.9, (0, 2): 0.7, (4, 0): 0.6}
    assert not row.even


def test_undefined_values_are_left_out_and_counted(tmp_path: Path) -> None:
    write_run(tmp_path / "a", {"knn": {"auroc": [0.8, None, 0.6], "f1": [None, None, None]}})
    report_of(tmp_path / "a", out=str(tmp_path / "out"))
    found = {line["metric"]: line for line in lines(tmp_path / "out")}
    assert float(found["auroc"]["mean"]) == pytest.approx(0.7)
    assert found["auroc"]["n_defined"] == "2"
    assert (found["f1"]["mean"], found["f1"]["n_defined"]) == ("", "0")
    text = (tmp_path / "out" / "table.md").read_text("utf-8")
    assert "0.700 ± 0.141 (2 of 3)" in text
    assert "undefined" in text


def test_intervals_of_the_test_part_are_shown_for_a_single_fold(tmp_path: Path) -> None:
    write_run(tmp_path / "a", {"knn": {"auroc": [0.8], "auroc_low": [0.7], "auroc_high": [0.85]}})
    report_of(tmp_path / "a", out=str(tmp_path / "out"))
    (line,) = lines(tmp_path / "out")
    assert (line["test_low"], line["test_high"], line["low"]) == ("0.7", "0.85", "")
    assert "0.800 [0.700, 0.850]" in (tmp_path / "out" / "table.md").read_text("utf-8")


def test_upper_bounds_have_a_table_of_their_own(tmp_path: Path) -> None:
    values = {"knn": {"auroc": [0.8]}, "best": {"auroc": [0.99]}}
    write_run(tmp_path / "a", values, supervision={"best": "oracle"})
    report_of(tmp_path / "a", out=str(tmp_path / "out"))
    text = (tmp_path / "out" / "table.md").read_text("utf-8")
    results, bounds = text.split("## Upper bounds")
    assert ("| knn |" in results, "| best |" in results) == (True, False)
    assert ("| knn |" in bounds, "| best |" in bounds) == (False, True)
    assert {line["detector"]: line["upper_bound"] for line in lines(tmp_path / "out")} == {"knn": "0", "best": "1"}


def damage(directory: Path, what: str) -> None:
    if what == "no run.json":
        (directory / "run.json").unlink()
    elif what == "half a run.json":
        (directory / "run.json").write_text('{"status": "fini', encoding="utf-8")
    elif what == "a list as run.json":
        (directory / "run.json").write_text("[]", encoding="utf-8")
    elif what == "half a table":
        text = (directory / "results.csv").read_text("utf-8")
        (directory / "results.csv").write_text(text[:-15], encoding="utf-8")
    elif what == "a value twice":
        text = (directory / "results.csv").read_text("utf-8")
        (directory / "results.csv").write_text(text + text.splitlines()[-1] + "\n", encoding="utf-8")
    elif what == "no table":
        (directory / "results.csv").unlink()
    elif what == "no config":
        (directory / ".hydra" / "config.yaml").unlink()
    elif what == "no YAML":
        (directory / ".hydra" / "config.yaml").write_text("model: [\ndetector: {\n", encoding="utf-8")
    elif what == "no threshold":
        (directory / "fold_0" / "detection" / "knn" / "threshold.json").unlink()
    else:
        facts = json.loads((directory / "run.json").read_text("utf-8"))
        del facts["splits"]
        write_json(directory / "run.json", facts)


DAMAGES = (
    "no run.json",
    "half a run.json",
    "a list as run.json",
    "half a table",
    "a value twice",
    "no table",
    "no config",
    "no YAML",
    "no threshold",
    "no digest of splits",
)


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_runs_are_listed_and_not_counted(tmp_path: Path, what: str) -> None:
    write_run(tmp_path / "good", KNN)
    damage(write_run(tmp_path / "bad", {"knn": {"auroc": [0.1, 0.1]}}, seed=1), what)
    report = report_of(tmp_path, out=str(tmp_path / "out"))
    assert [(item.directory, item.status) for item in report.problems] == [(tmp_path / "bad", "damaged")]
    (row,) = report.rows
    assert row.entry("auroc").mean == pytest.approx(0.85)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"status": "failed", "error": "RunError: lost | all"}, "RunError: lost"),
        ({"status": "running"}, "killed"),
        ({"status": "interrupted"}, "no results"),
    ],
)
def test_unfinished_runs_are_listed_with_the_reason(tmp_path: Path, facts: dict[str, Any], why: str) -> None:
    write_run(tmp_path / "good", KNN)
    write_run(tmp_path / "bad", KNN, seed=1, facts=facts)
    (problem,) = report_of(tmp_path, out=str(tmp_path / "out")).problems
    assert (problem.status, why in problem.why) == (facts["status"], True)
    for name in ("table.md", "report.html", "problems.csv"):
        assert why in (tmp_path / "out" / name).read_text("utf-8")


def test_what_is_left_of_an_incomplete_run_is_counted_and_the_rest_listed(tmp_path: Path) -> None:
    folds = {"fold_2": {"status": "failed", "error": "diverged"}}
    write_run(tmp_path / "a", KNN, facts={"status": "incomplete", "folds": folds})
    report = report_of(tmp_path, out=str(tmp_path / "out"))
    assert report.rows[0].entry("auroc").n == 2  # type: ignore[union-attr]
    assert [(item.status, item.why) for item in report.problems] == [("incomplete", "fold_2 failed: diverged")]


def test_without_any_results_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run directory in"):
        report_of(tmp_path)
    write_run(tmp_path / "a", KNN, facts={"status": "failed", "error": "RunError: why"})
    with pytest.raises(RunError, match=r"No run in .* has results: .*a is failed \(RunError: why\)"):
        report_of(tmp_path)
    with pytest.raises(RunError, match="is no folder"):
        report_of(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Which runs"),
        (["outputs", "metrik=f1"], "did you mean 'metric'"),
        (["outputs", "level=2"], "between 0 and 1"),
        (["outputs", "confidence=high"], "between 0 and 1"),
        (["outputs", "out=a", "out=b"], "once"),
    ],
)
def test_wrong_settings_are_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse(arguments)


def test_only_what_was_asked_for(tmp_path: Path) -> None:
    write_run(tmp_path / "a", KNN | {"pca": {"auroc": [0.5, 0.5]}})
    write_run(tmp_path / "b", {"knn": {"auroc": [0.8], "auroc_low": [0.7]}}, dataset="other", model=BEATGAN)
    out = str(tmp_path / "out")
    assert [row.detector for row in report_of(tmp_path, out=out, detector="pca").rows] == ["pca"]
    assert [row.protocol.dataset for row in report_of(tmp_path, out=out, dataset="other,none").rows] == ["other"]
    with pytest.raises(RunError, match="No run has results of model=vae"):
        report_of(tmp_path, out=out, model="vae")
    for metric in ("auruc", "auroc_low"):
        with pytest.raises(ConfigError, match="did you mean 'auroc'"):
            report_of(tmp_path, out=out, metric=metric)


def test_the_report_of_a_run_is_not_replaced(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", KNN)
    (run / "report.html").write_text("of the run", encoding="utf-8")
    with pytest.raises(ConfigError, match="is a run directory, whose own report"):
        report_of(run, out=str(run))
    assert (run / "report.html").read_text("utf-8") == "of the run"


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "runs" / "a", KNN)
    (tmp_path / "runs" / "closed").mkdir()
    scandir = os.scandir

    def refusing(folder: str) -> Any:
        if folder.endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"Cannot read .*closed \(Permission denied\)"):
        report_of(tmp_path / "runs", out=str(tmp_path / "out"))


def test_names_of_models_are_those_of_their_files() -> None:
    given = {"seed": 0, "group": "true", "detectors": "", "epochs": 1, "accelerator": "cpu", "latent": 3}
    parts = sections(CONFIG.format(model=AUTOENCODER, **given))
    assert model_name(parts["model"]) == "autoencoder"
    assert model_name(sections(CONFIG.format(model=BEATGAN, **given))["model"]) == "Other"
    assert "max_epochs" in method_text(parts)
    assert "accelerator" not in method_text(parts)


def test_one_number_has_no_spread(tmp_path: Path) -> None:
    write_run(tmp_path / "a", {"knn": {"auroc": [0.8]}})
    entry = rows_in(tmp_path)[0].entry("auroc")
    assert entry is not None
    assert (entry.mean, entry.n) == (0.8, 1)
    assert all(math.isnan(value) for value in (entry.sd, entry.low, entry.high, entry.test_low))


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "a", KNN)
    texts = []
    for _ in range(2):
        report_of(tmp_path / "runs", out=str(tmp_path / "out"))
        texts.append({file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()})
    assert texts[0] == texts[1]
    assert set(texts[0]) == {"table.csv", "table.md", "table.tex", "report.html", "problems.csv"}
