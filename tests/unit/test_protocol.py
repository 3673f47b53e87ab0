"""What results say about the split is what was done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgan.data.sources.ecg5000 import ECG5000
from ecgan.data.splits.folds import make_folds
from ecgan.data.splits.protocol import protocol_of
from ecgan.data.splits.splits_file import BUNDLED, data_facts, write_splits
from ecgan.data.store import Store
from ecgan.errors import ConfigError
from ecgan.splitplan import SplitPlan
from ecgan.types import TEST, TRAIN, UNUSED, Fold, IntArray

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
    return protocol_of(make_folds(label, known, part, plan, 0), label, known, part, plan, partition)


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
    nothing_abnormal_left = plan.abnormal == "test"
    assert everything == words + (NORMAL_ONLY if nothing_abnormal_left else "; trained on all classes")


def test_a_partition_with_a_name_is_called_by_it() -> None:
    for method, words in (("official", "DS1 / DS2"), ("inter_patient", "DS1 / DS2, by patient")):
        assert about(SplitPlan(method=method), partition="DS1 / DS2")["description"] == words + NORMAL_ONLY


@pytest.mark.parametrize("train_on", ["normal", "all"])
@pytest.mark.parametrize("shared", [0, 7])
def test_folds_of_a_file_are_described_by_it_and_by_what_they_train_on(
    tmp_path: Path, train_on: str, shared: int
) -> None:
    label, group, part = patients(shared)
    path, plan = tmp_path / "splits.json", SplitPlan(method="inter_patient", train_on=train_on)
    folds = make_folds(label, group, part, plan, 0)
    protocol = protocol_of(folds, label, group, part, plan, "DS1 / DS2")
    write_splits(path, folds, data_facts(label, group), protocol)
    again = SplitPlan(method="from_file", path=str(path), abnormal="test", train_on="all")
    found = protocol_of(make_folds(label, group, part, again, 0), label, group, part, again)
    assert found["description"] == f"the folds of splits.json: {protocol['description']}"
    assert found["description"].endswith(NORMAL_ONLY if train_on == "normal" else "; trained on all classes")
    assert found["description"].count("trained on") == 1
    assert found["left_out"] == protocol["left_out"] != {}
    write_splits(path, folds, data_facts(label, group), {"description": "ours; trained on all classes"})
    said = protocol_of(folds, label, group, part, again)
    assert said["description"] == protocol["description"].replace(
        "DS1 / DS2, by patient", "the folds of splits.json: ours"
    )
    write_splits(path, folds, data_facts(label, group), {})
    assert protocol_of(folds, label, group, part, again)["description"].startswith("the folds of splits.json; trained")


def test_the_bundled_division_says_what_it_is() -> None:
    label = ECG5000().read(BUNDLED, None).y
    plan = SplitPlan(method="from_file", path="ecg5000_tutorial_splits.json", train_on="all")
    words = protocol_of(make_folds(label, None, None, plan, 0), label, None, None, plan)["description"]
    name = "the folds of ecg5000_tutorial_splits.json: the tutorial's own hold-out"
    assert words == f"{name}; all abnormal series in the test part{NORMAL_ONLY}"


def test_classes_that_miss_from_training_are_not_called_trained_on() -> None:
    label = np.asarray([0, 0, 1, 2, 0, 0, 1, 2])
    fold = Fold(0, np.asarray([0, 2]), np.asarray([1, 3]), np.arange(4, 8))
    words = protocol_of([fold], label, None, None, SplitPlan(method="holdout", train_on="all"))["description"]
    assert (
        words == "one hold-out, stratified; trained on normal and abnormal series, but not on all classes in each fold"
    )


def test_patients_on_both_sides_are_left_out_and_named() -> None:
    nobody = about(SplitPlan(method="inter_patient"))
    assert nobody["left_out"] == {"in no part of the source's own partition": 10}
    one = about(SplitPlan(method="inter_patient"), shared=1)
    assert one["left_out"]["of the training side, from 1 patient (0) who is also tested"] == 6
    assert (one["groups_known"], one["groups_kept_apart"]) == (True, True)
    seven = about(SplitPlan(method="inter_patient"), shared=7)
    assert seven["left_out"]["of the training side, from 7 patients (0, 1, 2, 3, 4, …) who are also tested"] == 42


def test_the_published_form_says_that_they_stay_and_on_which_side() -> None:
    label, group, part = patients(shared=1)
    plan = SplitPlan(method="inter_patient", group=False, train_on="all")
    (fold,) = make_folds(label, group, part, plan, 0)
    assert 0 in group[fold.train]
    swapped = Fold(0, fold.val, fold.train, fold.test)
    for made, where, mixed in (
        (fold, "both trained on", "training and test"),
        (swapped, "on the training side", "validation and test"),
    ):
        found = protocol_of([made], label, group, part, plan, "DS1 / DS2")
        who = f"1 patient (0) who is {where} and tested"
        assert found["description"] == f"DS1 / DS2, by patient; {who}; trained on all classes"
        assert found["groups_mixed_between"] == [mixed]
        assert found["left_out"] == {"in no part of the source's own partition": 10}
        assert not found["groups_kept_apart"]


def test_parts_that_share_patients_are_named() -> None:
    group, label = np.asarray([0, 0, 1, 2, 3, 3]), np.zeros(6, np.int64)
    plan = SplitPlan(method="holdout", group=False)

    def mixed(*folds: tuple[list[int], list[int], list[int]]) -> list[str]:
        made = [Fold(k, *map(np.asarray, parts)) for k, parts in enumerate(folds)]
        found: list[str] = protocol_of(made, label, group, None, plan)["groups_mixed_between"]
        return found

    assert mixed(([0, 1], [2], [3])) == []
    assert mixed(([0], [1], [2, 3])) == ["training and validation"]
    assert mixed(([2], [4], [5]), ([0], [1], [3])) == ["training and validation", "validation and test"]
    assert mixed(([0, 4], [2], [1, 5])) == ["training and test"]


def test_patients_count_as_kept_apart_only_if_they_are() -> None:
    assert about(SplitPlan(folds=3))["groups_kept_apart"]
    mixed = about(SplitPlan(folds=3, group=False))
    assert not mixed["groups_kept_apart"]
    assert mixed["groups_mixed_between"] == ["training and validation", "training and test", "validation and test"]
    unknown = about(SplitPlan(folds=3), grouped=False)
    assert (unknown["groups_known"], unknown["groups_kept_apart"], unknown["left_out"]) == (False, False, {})


@pytest.mark.parametrize("method", ["group_kfold", "inter_patient"])
def test_a_run_by_patient_tells_it_everywhere(
    toy_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    from ecgan import assembly, experiment, redetection
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
    again = redetection.redetect(tmp_path / "run")
    summary = json.loads((again / "summary.json").read_text("utf-8"))
    assert summary["protocol"] == files["summary.json"]["protocol"]


def test_no_detector_may_take_the_protocol_s_place() -> None:
    from ecgan.config import compose

    scorer = "{scorer: {_target_: ecgan.detect.scorers.KNN, k: 5}, threshold: '${threshold}'}"
    with pytest.raises(ConfigError, match="cannot be called 'protocol'"):
        compose([f"+detector.protocol={scorer}"])
