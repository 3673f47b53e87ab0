"""A user's own series: what is read from tables and arrays, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from ecgan.assembly import open_data
from ecgan.config import compose, reconfigured
from ecgan.data.sources.own import CSV, NumPy, OwnFile
from ecgan.errors import ConfigError, DataError, EcganError
from ecgan.testing import check_source
from ecgan.types import Recordings

X = np.arange(24.0).reshape(6, 4) / 7
LABELS = ["sick", "ok", "ok", "worse", "ok", "sick"]
PATIENTS = ["b", "a", "a", "c", "b", "c"]


def table(path: Path, names: list[str] | None = None, **columns: Any) -> Path:
    content = pd.DataFrame(X, columns=names or [f"t{i}" for i in range(4)])
    content.assign(**({"label": LABELS, "patient": PATIENTS} | columns)).to_csv(path, index=False)
    return path


def arrays(path: Path, **others: Any) -> Path:
    np.savez(path, **({"x": X, "y": LABELS, "patient": PATIENTS} | others))
    return path


def read(source: OwnFile) -> Recordings:
    (piece,) = source.pieces(source.place)
    return source.read(source.place, piece)


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_series_labels_and_groups(kind: str, tmp_path: Path) -> None:
    source: OwnFile = (
        CSV(str(table(tmp_path / "a.csv")), group="patient", fs_hz=250, unit="mV")
        if kind == "csv"
        else NumPy(str(arrays(tmp_path / "a.npz")), group="patient", fs_hz=250, unit="mV")
    )
    found = read(source)
    assert_array_equal(found.x, X[:, None])
    assert source.classes == ("ok", "sick", "worse")
    assert found.y.tolist() == [1, 0, 0, 2, 0, 1]
    assert found.group is not None
    assert found.group.tolist() == [1, 0, 0, 2, 1, 2]
    assert (found.fs_hz, found.unit, source.name) == (250.0, "mV", "a")
    assert "label ok was taken as normal" in source.note


def test_the_normal_class_can_be_named_and_is_not_guessed_then(tmp_path: Path) -> None:
    source = CSV(str(table(tmp_path / "a.csv", label=[1, 0, 0, 0, 0, 1])), normal=1, group="patient")
    assert read(source).y.tolist() == [0, 1, 1, 1, 1, 0]
    assert source.classes == ("1", "0")
    assert source.note == ""


def test_groups_are_unknown_unless_they_are_named(tmp_path: Path) -> None:
    assert read(NumPy(str(arrays(tmp_path / "a.npz")))).group is None


def test_channels(tmp_path: Path) -> None:
    named = table(tmp_path / "a.csv", ["c0_t0", "c0_t1", "c1_t0", "c1_t1"])
    told = table(tmp_path / "b.csv")
    for source in (CSV(str(named), group="patient"), CSV(str(told), group="patient", channels=2)):
        assert_array_equal(read(source).x, X.reshape(6, 2, 2))
    three = arrays(tmp_path / "c.npz", x=X.reshape(6, 2, 2))
    assert_array_equal(read(NumPy(str(three))).x, X.reshape(6, 2, 2))


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        ({}, {"label": "labl"}, "no column 'labl'; set dataset.label: did you mean 'label'"),
        ({}, {"group": "patients"}, "no column 'patients'; set dataset.group: did you mean 'patient'"),
        ({}, {}, "column 'patient' that are no numbers"),
        ({"label": ["a", None, "b", "a", "a", "a"]}, {"group": "patient"}, "1 series without 'label' (the first is nu"),
        ({"patient": ["a", "b", "c", "d", "e", None]}, {"group": "patient"}, "1 series without 'patient'"),
        ({}, {"group": "patient", "normal": "fine"}, "no label 'fine' that dataset.normal asks for"),
        ({}, {"group": "patient", "channels": 3}, "4 samples a row, which 3 channels cannot share"),
        ({"names": ["c0_t0", "c1_t0", "c0_t1", "c1_t1"]}, {"group": "patient"}, "not in order"),
    ],
)
def test_tables_that_are_refused(content: dict[str, Any], settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(EcganError) as refused:
        read(CSV(str(table(tmp_path / "a.csv", **content)), **settings))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        ({}, {"series": "z"}, "no array 'z'; set dataset.series"),
        ({"y": LABELS[:5]}, {}, "not one value for each of 6 series"),
        ({"x": X.astype(complex)}, {}, "not real numbers"),
        ({"y": np.array(LABELS, object)}, {}, "cannot be read"),
    ],
)
def test_arrays_that_are_refused(content: dict[str, Any], settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(EcganError) as refused:
        read(NumPy(str(arrays(tmp_path / "a.npz", **content)), **settings))
    assert words in str(refused.value)


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    with pytest.raises(DataError, match=r"no \.npz file"):
        read(NumPy(str(tmp_path / "a.npy")))


@pytest.mark.parametrize("settings", [{"fs_hz": 0.0}, {"fs_hz": float("nan")}, {"channels": 0}])
def test_settings_that_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        CSV("a.csv", **settings)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    cfg = compose(["dataset=csv", f"dataset.path={tmp_path / 'none.csv'}", f"paths.data={tmp_path / 'data'}"])
    with pytest.raises(DataError, match=r"no file none\.csv in .*; correct dataset\.path"):
        open_data(cfg)


def test_the_store_is_that_of_the_content(tmp_path: Path) -> None:
    """Wherever the file lies; a changed file gets another store."""
    (tmp_path / "other").mkdir()

    def place(path: Path) -> Path:
        settings = [f"dataset.path={path}", "dataset.group=patient", f"paths.data={tmp_path / 'data'}"]
        return open_data(compose(["dataset=csv", *settings])).directory

    first = place(table(tmp_path / "a.csv"))
    assert place(table(tmp_path / "other" / "a.csv")) == first
    changed = table(tmp_path / "a.csv", label=["ok", *LABELS[1:]])
    assert place(changed) != first


def test_a_later_detection_finds_the_file_from_elsewhere(tmp_path: Path) -> None:
    written = compose(["dataset=csv", "dataset.path=a.csv"])
    from omegaconf import OmegaConf

    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(written), encoding="utf-8")
    cfg = reconfigured(tmp_path / "config.yaml", tmp_path / "project", [])
    assert cfg.dataset.path == str(tmp_path / "project" / "a.csv")


def test_the_battery(tmp_path: Path) -> None:
    csv, npz = table(tmp_path / "csv.csv"), arrays(tmp_path / "npz.npz")
    check_source(lambda: CSV(str(csv), group="patient"), tmp_path)
    check_source(lambda: NumPy(str(npz), group="patient"), tmp_path)
