"""New series scored as a stream: the rows, what is refused, and bringing series to the right length and rate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecgan.errors import ConfigError, DataError, RunError
from ecgan.generate.writing import Description, write_series
from ecgan.publish import scoring
from ecgan.publish.detector import PublishedDetector
from ecgan.publish.scoring import COLUMNS, Request, parse, score_input
from published_detectors import by_hand

X = np.random.default_rng(0).normal(0.5, 1, (11, 2, 8)).astype(np.float32)


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pd.DataFrame]:
    """Score an array with a detector made by hand and read what was written."""

    def call(x: np.ndarray, judge: PublishedDetector, rate: float | None = None, **asked: Any) -> pd.DataFrame:
        def load(place: str, name: str | None, *_: Any) -> PublishedDetector:
            return judge if name is None else judge.using(name)

        monkeypatch.setattr(scoring, "load", load)
        np.savez(tmp_path / "x.npz", x=x, fs_hz=np.array(np.nan if rate is None else rate))
        out = tmp_path / "out.csv"
        score_input(Request("bundle", tmp_path / "x.npz", out, **asked))
        table = pd.read_csv(out, float_precision="round_trip")
        out.unlink()
        return table

    return call


Score = Callable[..., pd.DataFrame]


def test_one_row_per_series_and_detector(score: Score) -> None:
    detector = by_hand(names=("one", "two"))
    table = score(X, detector)
    assert tuple(table.columns) == COLUMNS
    assert table["index"].tolist() == [i for i in range(11) for _ in range(2)]
    assert table["detector"].tolist() == ["one", "two"] * 11
    rows = table[table["detector"] == "two"]
    assert rows["score"].tolist() == detector.score(X).tolist()
    assert rows["p_value"].tolist() == detector.p_value(X).tolist()
    assert rows["predicted"].tolist() == detector.predict(X).tolist()
    assert rows["threshold"].unique().tolist() == [0.5]
    assert score(X, detector, detector="two").equals(rows.reset_index(drop=True))


WRONG: dict[str, tuple[np.ndarray, float | None, dict[str, Any], str]] = {
    "channels": (X[:, :1], None, {}, r"1 channel\(s\), but the detector was trained on 2"),
    "length": (X[..., :7], None, {}, "7 samples, but the detector was trained on 8"),
    "rate in the file": (X, 200.0, {}, "have 200 Hz, but the detector was trained on 100 Hz; give resample=true"),
    "rate as told": (X, 100.0, {"fs_hz": 50.0}, "have 50 Hz, but the detector was trained on 100 Hz"),
    "missing value": (np.where(X[6, 1, 3] == X, np.nan, X), None, {}, "Series 6 of .* holds a missing"),
    "infinite value": (
        np.where(X[9, 0, 0] == X, np.inf, X),
        None,
        {"resample": True},
        "Series 9 of .* holds a missing",
    ),
    "empty": (X[:0], None, {}, "the input is empty"),
    "no samples": (X[..., :0], None, {}, "have 0 samples"),
    "one axis": (X[0, 0], None, {}, r"have the shape \(8,\)"),
    "four axes": (X[None], None, {}, "have the shape"),
    "twice as long": (
        np.zeros((1, 2, 16)),
        100.0,
        {"resample": True},
        "last 0.16 s, but the detector was .* 0.08 s at",
    ),
    "channels, resampled": (X[:, :1], None, {"resample": True}, r"1 channel\(s\)"),
}


@pytest.mark.parametrize(("x", "rate", "asked", "part"), WRONG.values(), ids=WRONG)
def test_series_that_do_not_fit_are_refused(
    score: Score, tmp_path: Path, x: np.ndarray, rate: float | None, asked: dict[str, Any], part: str
) -> None:
    with pytest.raises(DataError, match=part) as refused:
        score(x, by_hand(fs_hz=100.0), rate, **asked)
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npz"]


def test_series_without_a_rate_are_stretched(score: Score) -> None:
    t = np.linspace(0, 1, 15)
    line = np.stack([np.stack([t * slope, t * slope]) for slope in (0.2, 1.6)])
    table = score(line, by_hand(fs_hz=100.0), resample=True)
    assert np.allclose(table["score"], [0.1, 0.8], atol=1e-6)  # a line stays a line
    assert table["predicted"].tolist() == [0, 1]


def test_series_of_another_rate_are_resampled(score: Score) -> None:
    """A slow wave at twice the rate gives the samples that half the rate would have given."""
    detector = by_hand(channels=1, seq_len=400, fs_hz=100.0)
    fine, coarse = (np.sin(2 * np.pi * 1.3 * np.arange(n) / rate) for n, rate in ((800, 200), (400, 100)))
    table = score(fine[None, None], detector, 200.0, resample=True)
    assert table["score"].tolist() == pytest.approx([coarse.mean()], abs=2e-3)
    told = score(fine[None, None], detector, None, resample=True, fs_hz=200.0)
    assert told.equals(table)
    assert score(coarse[None, None], detector, 100.0, resample=True).equals(score(coarse[None, None], detector, 100.04))


def test_a_duration_that_is_no_whole_number_of_samples(score: Score) -> None:
    detector = by_hand(channels=1, seq_len=187, fs_hz=125.0)
    for length in (538, 539):  # 1.496 s are 187 samples at 125 Hz, and 538.56 at 360 Hz
        assert len(score(np.ones((2, 1, length)), detector, 360.0, resample=True)) == 2
    with pytest.raises(DataError, match="cut them as the training data were"):
        score(np.ones((2, 1, 545)), detector, 360.0, resample=True)


@pytest.mark.parametrize(("unit", "fits"), [("mV", True), ("1", True), ("uV", False)])
def test_a_record_in_another_unit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: str, fits: bool
) -> None:
    monkeypatch.setattr(scoring, "load", lambda *_: by_hand(fs_hz=100.0))
    write_series(tmp_path / "series", [(X, None)], Description(11, 2, 8, unit, 100.0))
    request = Request("bundle", tmp_path / "series", tmp_path / "out.csv")
    if fits:
        assert score_input(request)["mean"][0] == 11
        return
    with pytest.raises(DataError, match="The series are in uV, but the detector was trained on mV; convert them"):
        score_input(request)


def test_nothing_is_overwritten(score: Score, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(RunError, match="exists and is not overwritten"):
        score(X, by_hand())
    assert (tmp_path / "out.csv").read_text() == "mine"


def test_names_without_rows_are_an_empty_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "load", lambda *_: by_hand(channels=1, seq_len=2))
    (tmp_path / "x.csv").write_text("c0_t0,c0_t1\n")
    with pytest.raises(DataError, match="the input is empty"):
        score_input(Request("bundle", tmp_path / "x.csv", tmp_path / "out.csv"))
    assert not (tmp_path / "out.csv").exists()


def test_settings_are_read() -> None:
    given = ["run=b.zip", "input=x.npy", "out=o.csv"]
    assert parse(given) == Request("b.zip", Path("x.npy"), Path("o.csv"))
    given += ["detector=knn", "fold=2", "resample=true", "fs_hz=250", "sha256=ab"]
    assert parse(given) == Request("b.zip", Path("x.npy"), Path("o.csv"), "knn", 2, True, 250.0, "ab")


BASE = ["run=b", "input=x.npy", "out=o.csv"]


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (BASE[1:], "Which detector"),
        (["run=", *BASE[1:]], "Which detector"),
        ([BASE[0], BASE[2]], "Which series"),
        (BASE[:2], "Where to"),
        ([*BASE[:2], "out=o.txt"], "Where to"),
        ([*BASE, "detectr=knn"], "did you mean 'detector'"),
        ([*BASE, "resample"], "no setting 'resample'"),
        ([*BASE, "resample=yes"], "resample is 'yes' but must be true or false"),
        ([*BASE, "fs_hz=0"], "fs_hz is '0' but must be a number above 0"),
        ([*BASE, "fs_hz=fast"], "fs_hz is 'fast'"),
        ([*BASE, "fold=-1"], "fold is '-1'"),
        ([*BASE, "run=c"], "run is given twice"),
    ],
)
def test_wrong_settings_are_refused(given: list[str], part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        parse(given)
