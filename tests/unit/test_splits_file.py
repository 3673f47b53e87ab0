"""Splits are written down before training, and a changed file is noticed."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgan.data.sources.ecg5000 import ECG5000
from ecgan.data.splits.folds import make_folds
from ecgan.data.splits.splits_file import BUNDLED, data_facts, digest_of, read_splits, told_by, write_splits
from ecgan.errors import ConfigError, DataError, RunError
from ecgan.splitplan import SplitPlan
from ecgan.types import Fold, IntArray

FACTS = {"groups_known": False}
TUTORIAL = "ecg5000_tutorial_splits.json"
TOOLS = Path(__file__).parents[2] / "tools"


def same(one: list[Fold], other: list[Fold]) -> bool:
    return len(one) == len(other) and all(
        a.number == b.number and all(np.array_equal(getattr(a, p), getattr(b, p)) for p in ("train", "val", "test"))
        for a, b in zip(one, other, strict=True)
    )


def toy_labels() -> IntArray:
    return np.random.default_rng(3).permutation(np.repeat([0, 1, 2], [80, 24, 16]))


def write_toy_splits(path: Path) -> tuple[list[Fold], str]:
    folds = make_folds(toy_labels(), None, None, SplitPlan(folds=3), 5)
    return folds, write_splits(path, folds, data_facts(toy_labels(), None), {"method": "kfold"})


def test_splits_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    folds, sha256 = write_toy_splits(path)
    again, content = read_splits(path)
    assert same(folds, again)
    assert content["n_series"] == 120
    plan = SplitPlan(method="from_file", path=str(path))
    assert same(folds, make_folds(toy_labels(), None, None, plan, 77)), "the seed has no say"
    content = json.loads(path.read_text())
    assert content["sha256"] == sha256 == digest_of(again)
    assert content["protocol"] == {"method": "kfold"}


def test_tampered_splits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    write_toy_splits(path)
    content = json.loads(path.read_text())
    entry = content["folds"][0]
    entry["train"].append(entry["test"].pop())
    path.write_text(json.dumps(content))
    with pytest.raises(RunError, match="do not match their digest"):
        read_splits(path)


@pytest.mark.parametrize("content", ["{", "[]", '{"folds": []}', '{"folds": [{}], "sha256": 1}', "null"])
def test_other_files_are_no_splits(tmp_path: Path, content: str) -> None:
    path = tmp_path / "splits.json"
    path.write_text(content)
    with pytest.raises(RunError, match="splits"):
        read_splits(path)


def test_from_file_needs_the_file_and_the_same_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs split\.path"):
        make_folds(toy_labels(), None, None, SplitPlan(method="from_file"), 0)
    path = tmp_path / "splits.json"
    plan = SplitPlan(method="from_file", path=str(path))
    with pytest.raises(RunError, match="is missing"):
        make_folds(toy_labels(), None, None, plan, 0)
    write_toy_splits(path)
    with pytest.raises(DataError, match="made for 120 series but the data set has 119"):
        make_folds(toy_labels()[1:], None, None, plan, 0)


def test_file_made_for_other_data_of_the_same_size_is_refused(tmp_path: Path) -> None:
    label, group, path = toy_labels(), np.arange(120) // 5, tmp_path / "splits.json"
    plan = SplitPlan(method="from_file", path=str(path), train_on="all")
    folds = make_folds(label, group, None, SplitPlan(folds=3, train_on="all"), 0)
    write_splits(path, folds, data_facts(label, group), {})
    assert same(folds, make_folds(label.astype(np.int32), group.astype(np.int32), None, plan, 0))
    with pytest.raises(DataError, match="with other labels, so that its indices name other series; use the data set"):
        make_folds(label[::-1], group, None, plan, 0)
    for other in (group + 1, None):
        with pytest.raises(DataError, match="with other patients"):
            make_folds(label, other, None, plan, 0)


def test_file_made_before_patients_were_known_still_serves(tmp_path: Path) -> None:
    label, group, path = toy_labels(), np.arange(120) // 5, tmp_path / "splits.json"
    folds = make_folds(label, group, None, SplitPlan(folds=3), 0)
    write_splits(path, folds, data_facts(label, None), {})
    assert same(folds, make_folds(label, group, None, SplitPlan(method="from_file", path=str(path)), 0))


def test_file_that_does_not_tell_its_labels_is_refused(tmp_path: Path) -> None:
    label, path = toy_labels(), tmp_path / "splits.json"
    folds = make_folds(label, None, None, SplitPlan(folds=3), 0)
    plan = SplitPlan(method="from_file", path=str(path))
    for facts in ({"n_series": 120, **FACTS}, data_facts(label, None) | {"label_sha256": None}):
        write_splits(path, folds, facts, {})
        with pytest.raises(DataError, match=r"does not tell for which data it was made.*make it anew with ecgan-train"):
            make_folds(label, None, None, plan, 0)


def test_bundled_division_is_found_by_its_name_and_fits_the_bundled_beats_alone() -> None:
    label = ECG5000().read(BUNDLED, None).y
    plan = SplitPlan(method="from_file", path=TUTORIAL)
    (fold,) = make_folds(label, None, None, plan, 0)
    assert (len(fold.train), len(fold.val), len(fold.test)) == (2481, 293, 2226)
    assert digest_of([fold]) == "23ce1628cbc9b9c0aea668cc2fc14feac7c89facf3d8dfb1d327a7907192e405"
    with pytest.raises(DataError, match="as many series with other labels"):
        make_folds(np.zeros(5000, np.int64), None, None, plan, 0)


def tool(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_bundled_divisions_are_what_their_tools_write(tmp_path: Path) -> None:
    tool("tutorial_splits").main(tmp_path / TUTORIAL)
    tool("ecg5000_splits").main(tmp_path)
    written = sorted(tmp_path.iterdir())
    assert [file.name for file in written] == sorted(file.name for file in BUNDLED.glob("*_splits.json"))
    for file in written:
        assert file.read_bytes() == (BUNDLED / file.name).read_bytes()


@pytest.mark.parametrize(
    ("name", "normals", "abnormal"),
    [("first2000", (1900, 100, 919), (0, 0, 2081)), ("original", (1985, 497, 437), (0, 1107, 974))],
)
def test_bundled_divisions_have_the_sizes_of_their_sources(
    name: str, normals: tuple[int, ...], abnormal: tuple[int, ...]
) -> None:
    label = ECG5000().read(BUNDLED, None).y
    plan = SplitPlan(method="from_file", path=f"ecg5000_{name}_splits.json", train_on="normal")
    (fold,) = make_folds(label, None, None, plan, 0)
    parts = [label[part] for part in (fold.train, fold.val, fold.test)]
    assert tuple(int((part == 0).sum()) for part in parts) == normals
    assert tuple(int((part != 0).sum()) for part in parts) == abnormal
    if name == "first2000":
        first = np.flatnonzero(label == 0)[:2000]
        assert sorted([*fold.train, *fold.val]) == first.tolist()


def test_lists_that_are_no_indices_stay_in_the_protocol(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    protocol = {"only": [2], "seeds": [[1, 2], [3]], "words": '"test":[7] and "val": [1]'}
    write_splits(path, [Fold(0, *(np.asarray([k]) for k in range(3)))], {"n_series": 3, **FACTS}, protocol)
    folds, content = read_splits(path)
    assert content["protocol"] == protocol
    assert [getattr(folds[0], name).tolist() for name in ("train", "val", "test")] == [[0], [1], [2]]


def test_a_damaged_protocol_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    folds, _ = write_toy_splits(path)
    assert told_by(path) == ("", {})
    for protocol in ("words", {"left_out": [1]}, {"left_out": {"reason": "many"}}):
        write_splits(path, folds, data_facts(toy_labels(), None), protocol)  # type: ignore[arg-type]
        with pytest.raises(RunError, match=r"The protocol in .* is damaged"):
            told_by(path)


def test_file_is_plain_json_and_may_be_written_in_any_style(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    protocol = {"note": "classes [1, 2] of {3}", "only": [2], "path": None}
    folds = [Fold(k, *(np.arange(200_000)[part::3] for part in range(3))) for k in range(2)]
    write_splits(path, folds, {"n_series": 200_000, **FACTS}, protocol)
    content = json.loads(path.read_text())
    assert content["protocol"] == protocol
    assert content["folds"][1]["val"] == list(range(1, 200_000, 3))
    assert len(path.read_bytes().splitlines()) == 1
    for indent in (None, 1):
        path.write_text(json.dumps(content, indent=indent))
        assert same(folds, read_splits(path)[0])


def test_empty_parts_survive(tmp_path: Path) -> None:
    path, nobody = tmp_path / "splits.json", np.empty(0, np.int64)
    write_splits(path, [Fold(0, np.asarray([4]), nobody, nobody)], {"n_series": 5, **FACTS}, {})
    (fold,) = read_splits(path)[0]
    assert (fold.train.tolist(), fold.val.size, fold.test.size) == ([4], 0, 0)


def test_file_with_abnormal_training_series_is_refused_under_train_on_normal(tmp_path: Path) -> None:
    label, path = toy_labels(), tmp_path / "splits.json"
    folds = make_folds(label, None, None, SplitPlan(folds=3, train_on="all"), 0)
    write_splits(path, folds, data_facts(label, None), {})
    plan = SplitPlan(method="from_file", path=str(path))
    with pytest.raises(DataError, match=r"trains on abnormal series; set split\.train_on=all"):
        make_folds(label, None, None, plan, 0)
    assert same(folds, make_folds(label, None, None, replace(plan, train_on="all"), 0))


def test_file_that_divides_a_patient_is_refused_where_patients_are_to_be_kept(tmp_path: Path) -> None:
    write_toy_splits(tmp_path / "splits.json")
    group = np.arange(120) % 24
    plan = SplitPlan(method="from_file", path=str(tmp_path / "splits.json"))
    with pytest.raises(DataError, match=r"Patient \d+ would be in two parts of fold 0"):
        make_folds(toy_labels(), group, None, plan, 0)
    assert len(make_folds(toy_labels(), group, None, replace(plan, group=False), 0)) == 3


def test_file_without_folds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    write_splits(path, [], data_facts(toy_labels(), None), {})
    with pytest.raises(DataError, match="holds no folds"):
        make_folds(toy_labels(), None, None, SplitPlan(method="from_file", path=str(path)), 0)
