"""What results say about the split is what was done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgan.data.splits.folds import make_folds
from ecgan.data.splits.protocol import protocol_of
from ecgan.data.store import Store
from ecgan.errors import ConfigError
from ecgan.splitplan import SplitPlan
from ecgan.types import TEST, TRAIN, UNUSED, IntArray

NORMAL_ONLY = "; trained on normal series only"


def patients(shared: int) -> tuple[IntArray, IntArray, IntArray]:
    """24 patients of ten series: two thirds train, the last is in no part; the first ``shared`` ones test too."""
    number = np.arange(240)
    group, label = number // 10, np.where(number % 5 == 4, 1, 0)
    part = np.where(group < 16, TRAIN, np.where(group < 23, TEST, UNUSED))
    part[(group < shared) & (number % 10 > 5)] = TEST
    return label, group, part


def about(plan: SplitPlan, grouped: bool = True, shared: int = 0, partition: str = "") -> dict[str, Any]:
    """The protocol of a plan on these patients."""
    label, group, part = patients(shared)
    known = group if grouped else None
    return protocol_of(make_folds(label, known, part, plan, 0), known, part, plan, partition)


@pytest.mark.parametrize(
    ("plan", "grouped", "words"),
    [
        (SplitPlan(folds=3), False, "3-fold cross-validation, stratified; one test part for all folds"),
        (SplitPlan(folds=3), True, "3-fold cross-validation, by patient, stratified; one test part for all folds"),
        (SplitPlan(folds=3, group=False), True, "3-fold cross-validation, stratified; one test part for all folds"),
        (
            SplitPlan(method="group_kfold", folds=4, test="rotate"),
            True,
            "4-fold cross-validation, by patient, stratified; each fold tests its own part",
        ),
        (SplitPlan(method="holdout"), False, "one hold-out, stratified"),
        (
            SplitPlan(method="holdout", abnormal="test"),
            False,
            "one hold-out, stratified; all abnormal series in the test part",
        ),
        (SplitPlan(method="official"), True, "the source's own partition"),
        (SplitPlan(method="inter_patient"), True, "the source's own partition, by patient"),
    ],
)
def test_methods_in_words(plan: SplitPlan, grouped: bool, words: str) -> None:
    assert about(plan, grouped)["description"] == words + NORMAL_ONLY
    everything = about(replace(plan, train_on="all"), grouped)["description"]
    assert everything == f"{words}; trained on all classes"


def test_a_partition_with_a_name_is_called_by_it() -> None:
    for method, words in (("official", "DS1 / DS2"), ("inter_patient", "DS1 / DS2, by patient")):
        assert about(SplitPlan(method=method), partition="DS1 / DS2")["description"] == words + NORMAL_ONLY


def test_folds_of_a_file_are_called_by_its_name() -> None:
    label, group, part = patients(0)
    plan = SplitPlan(method="from_file", path="somewhere/splits.json", abnormal="test")
    folds = make_folds(label, group, part, SplitPlan(method="official"), 0)
    assert protocol_of(folds, group, part, plan, "")["description"] == "the folds of splits.json" + NORMAL_ONLY


def test_patients_on_both_sides_are_left_out_and_named() -> None:
    nobody = about(SplitPlan(method="inter_patient"))
    assert nobody["left_out"] == {"in no part of the source's own partition": 10}
    one = about(SplitPlan(method="inter_patient"), shared=1)
    assert one["left_out"]["of the training side, from 1 patient (0) who is also tested"] == 6
    assert (one["groups_known"], one["groups_kept_apart"]) == (True, True)
    seven = about(SplitPlan(method="inter_patient"), shared=7)
    assert seven["left_out"]["of the training side, from 7 patients (0, 1, 2, 3, 4, …) who are also tested"] == 42


def test_the_published_form_says_that_they_stay() -> None:
    found = about(SplitPlan(method="inter_patient", group=False), shared=1, partition="DS1 / DS2")
    assert (
        found["description"] == "DS1 / DS2, by patient; 1 patient (0) who is both trained on and tested" + NORMAL_ONLY
    )
    assert found["left_out"] == {"in no part of the source's own partition": 10}
    assert not found["groups_kept_apart"]


def test_patients_count_as_kept_apart_only_if_they_are() -> None:
    assert about(SplitPlan(folds=3))["groups_kept_apart"]
    assert not about(SplitPlan(folds=3, group=False))["groups_kept_apart"]
    unknown = about(SplitPlan(folds=3), grouped=False)
    assert (unknown["groups_known"], unknown["groups_kept_apart"], unknown["left_out"]) == (False, False, {})


@pytest.mark.parametrize("method", ["group_kfold", "inter_patient"])
def test_a_run_by_patient_tells_it_everywhere(
    toy_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    from ecgan import assembly, experiment
    from ecgan.config import compose

    assert toy_store.group is not None
    part = np.where(toy_store.group < 16, TRAIN, TEST)
    part[np.flatnonzero(toy_store.group == 3)[0]] = TEST
    arrays = {name: entry for name, entry in toy_store.manifest["arrays"].items() if name != "part"}
    manifest = toy_store.manifest | {"partition": "A / B", "note": "a subset", "arrays": arrays}
    store = replace(toy_store, part=part, manifest=manifest)
    monkeypatch.setattr(assembly, "open_data", lambda _: store)
    overrides = [f"split={method}", "trainer=smoke", "detector=[knn]", "trainer.figures=false", "dataset=sine"]
    cfg = compose([*overrides, *(["split.folds=2"] if method == "group_kfold" else [])])
    experiment.run(cfg, tmp_path / "run")
    files = {name: json.loads((tmp_path / "run" / name).read_text("utf-8")) for name in ("splits.json", "summary.json")}
    recorded = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["protocol"]
    words = {
        "group_kfold": "2-fold cross-validation, by patient, stratified; one test part for all folds",
        "inter_patient": "A / B, by patient",
    }[method]
    assert recorded["description"] == words + NORMAL_ONLY
    assert recorded["groups_kept_apart"]
    assert list(recorded["left_out"].values()) == ([] if method == "group_kfold" else [9])
    for protocol in (files["splits.json"]["protocol"], files["summary.json"]["protocol"]):
        assert protocol.items() >= recorded.items()
    assert files["splits.json"]["protocol"]["method"] == method
    assert files["splits.json"]["label_sha256"] == arrays["label"]["sha256"]
    assert files["splits.json"]["group_sha256"] == arrays["group"]["sha256"]
    assert files["summary.json"]["protocol"]["note"] == "a subset"
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert f"split: {words}" in page
    again = experiment.redetect(tmp_path / "run")
    summary = json.loads((again / "summary.json").read_text("utf-8"))
    assert summary["protocol"] == files["summary.json"]["protocol"]


def test_no_detector_may_take_the_protocol_s_place() -> None:
    from ecgan.config import compose

    scorer = "{scorer: {_target_: ecgan.detect.scorers.KNN, k: 5}, threshold: '${threshold}'}"
    with pytest.raises(ConfigError, match="cannot be called 'protocol'"):
        compose([f"+detector.protocol={scorer}"])
