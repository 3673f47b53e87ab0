"""What all preprocessing steps have in common: pure, series by series, float32 stays, facts are carried along."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgan.errors import ConfigError, DataError
from ecgan.preprocess.channels import Channels
from ecgan.preprocess.clean import Clean
from ecgan.preprocess.filters import BandPass, BaselineWander
from ecgan.preprocess.impute import Impute
from ecgan.preprocess.resample import LTTB, FixedRate, Interpolate, Polyphase
from ecgan.preprocess.window import Window
from ecgan.types import Recordings, Step

LENGTH, FS = 240, 100.0
STEPS: list[Step] = [
    Channels([1]),
    Clean(),
    Clean([2, LENGTH], low=-6, high=6),
    BaselineWander(1.0),
    BandPass(1.0, 30.0),
    Impute(),
    Impute("knn", 3),
    Interpolate(100),
    LTTB(100),
    Polyphase(80.0),
    FixedRate(3),
    Window(60, 25),
]
TAKES_MISSING = (Channels, Clean, Impute, FixedRate, Window)


def named(step: Step) -> str:
    return f"{type(step).__name__}{list(vars(step).values())}"


def gappy(step: Step, n: int = 7, seed: int = 0) -> Recordings:
    """Noise of 2 x 240 samples, with gaps and unusable series where the step takes them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2, LENGTH)).astype(np.float32)
    if isinstance(step, TAKES_MISSING):
        x[rng.random(x.shape) < 0.1] = np.nan
        if n > 3:
            x[1, 0] = 2.5
            x[3, 1] = np.nan
    return Recordings(x, np.arange(n) % 3, FS, "mV", np.arange(n) * 10, np.arange(n) % 2, {"earlier": 2})


def rows_of(recordings: Recordings, rows: list[int]) -> Recordings:
    x = recordings.x[rows] if isinstance(recordings.x, np.ndarray) else [recordings.x[row] for row in rows]
    return recordings.cut(x, np.asarray(rows, int), recordings.fs_hz)


def as_list(recordings: Recordings) -> Recordings:
    return recordings.with_series(list(recordings.x), recordings.fs_hz)


def same(a: Recordings, b: Recordings) -> None:
    assert len(a.x) == len(b.x)
    assert all(np.array_equal(s, t, equal_nan=True) for s, t in zip(a.x, b.x, strict=True))
    for one, other in ((a.y, b.y), (a.group, b.group), (a.part, b.part)):
        assert np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("step", STEPS, ids=named)
@pytest.mark.parametrize("ragged", [False, True])
def test_the_argument_stays_as_it_is(step: Step, ragged: bool) -> None:
    given = as_list(gappy(step)) if ragged else gappy(step)
    before = pickle.dumps(given)
    result = step(given)
    assert pickle.dumps(given) == before
    shared = any(np.shares_memory(new, old) for new in result.x for old in given.x)
    assert not shared or isinstance(step, Clean), "only a step that changes no value may pass series on uncopied"


@pytest.mark.parametrize("step", STEPS, ids=named)
def test_float32_stays_and_all_facts_come_along(step: Step) -> None:
    given = gappy(step)
    result = step(given)
    assert {series.dtype for series in result.x} == {np.dtype(np.float32)}
    assert len(result.x) == len(result.y) > 0
    assert result.unit == "mV"
    assert result.dropped["earlier"] == 2
    if isinstance(step, Window):
        return  # has more series than before; see its own tests
    assert result.group is not None
    assert result.part is not None
    parents = result.group // 10
    assert np.array_equal(result.y, given.y[parents])
    assert np.array_equal(result.part, parents % 2)
    assert sum(result.dropped.values()) - 2 == len(given.y) - len(result.y), "whatever is left out is counted"


@pytest.mark.parametrize("step", STEPS, ids=named)
def test_float64_stays(step: Step) -> None:
    given = gappy(step)
    result = step(given.with_series(np.asarray(given.x, np.float64), FS))
    assert {series.dtype for series in result.x} == {np.dtype(np.float64)}


@pytest.mark.parametrize("step", STEPS, ids=named)
@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 7), max_size=3), seed=st.integers(0, 99))
def test_a_series_does_not_depend_on_the_others(step: Step, cuts: list[int], seed: int) -> None:
    """So the stored series do not depend on how a data set was cut into pieces, nor on the number of workers."""
    whole = gappy(step, seed=seed)
    borders = [0, *sorted(cuts), 7]
    parts = [step(rows_of(whole, list(range(a, b)))) for a, b in pairwise(borders)]
    together = step(whole)
    series = [series for part in parts for series in part.x]
    columns = [np.concatenate([np.asarray(getattr(part, key)) for part in parts]) for key in ("y", "group", "part")]
    same(together, Recordings(series, columns[0], None, "mV", columns[1], columns[2]))
    assert {part.fs_hz for part in parts} == {together.fs_hz}


@pytest.mark.parametrize("step", STEPS, ids=named)
def test_a_list_of_equal_series_gives_the_same_as_an_array(step: Step) -> None:
    given = gappy(step)
    same(step(as_list(given)), step(given))


@pytest.mark.parametrize("step", STEPS, ids=named)
def test_no_series_stay_no_series(step: Step) -> None:
    given = rows_of(gappy(step), [])
    result = step(given)
    assert isinstance(result.x, np.ndarray)
    assert result.x.shape == (0, *step(gappy(step)).x[0].shape), "later pieces must fit to it"
    assert (len(result.y), dict(result.dropped)) == (0, {"earlier": 2})
    empty = step(as_list(given))
    assert len(empty.x) == len(empty.y) == 0


@pytest.mark.parametrize("step", [step for step in STEPS if not isinstance(step, (LTTB, Clean))], ids=named)
def test_series_of_different_lengths_are_treated_each_alone(step: Step) -> None:
    given = as_list(gappy(step))
    assert isinstance(given.x, list)
    given.x[2] = given.x[2][:, :200].copy()
    alone = [step(rows_of(given, [row])) for row in range(len(given.x))]
    result = step(given)
    same(
        result,
        Recordings(
            [series for one in alone for series in one.x],
            np.concatenate([one.y for one in alone]),
            None,
            "mV",
            np.concatenate([np.asarray(one.group) for one in alone]),
            np.concatenate([np.asarray(one.part) for one in alone]),
        ),
    )


@pytest.mark.parametrize("step", STEPS, ids=named)
def test_steps_go_to_other_processes_and_have_a_version(step: Step) -> None:
    given = gappy(step)
    same(pickle.loads(pickle.dumps(step))(given), step(given))  # noqa: S301 - of our own making
    assert type(step).version in ("1", "2")  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", [step for step in STEPS if not isinstance(step, TAKES_MISSING)], ids=named)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_needs_complete_series_refuses_others(step: Step, value: float) -> None:
    given = gappy(step)
    x = np.array(given.x)
    x[[2, 4], 1, 50] = value
    with pytest.raises(DataError, match=f"{type(step).__name__} needs complete series, but 2 .* number 2 .* impute"):
        step(given.with_series(x, FS))


@pytest.mark.parametrize("step", [step for step in STEPS if isinstance(step, (BandPass, BaselineWander, Polyphase))])
def test_filters_refuse_an_undefined_rate(step: Step) -> None:
    with pytest.raises(
        DataError, match=f"{type(step).__name__} needs a sampling rate, but there is none; put it before lttb"
    ):
        step(LTTB(100)(gappy(step)))


def test_a_chain_of_steps_ends_in_one_clean_array() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(3000) / 360
    x = (np.sin(2 * np.pi * 8 * t) + 0.1 * rng.normal(size=(2, 3000)) + 3 * np.sin(2 * np.pi * 0.1 * t)).astype(
        np.float32
    )
    x[0, 500:520] = np.nan
    dead = np.zeros((2, 2000), np.float32)
    recordings = Recordings([x, dead, x[:, :100]], np.array([1, 0, 0]), 360.0, "mV", np.array([4, 5, 6]))
    chain: list[Step] = [Clean(), Impute(), Window(720, 360), BandPass(1, 40), Polyphase(180), LTTB(128)]
    for step in chain:
        recordings = step(recordings)
    assert np.asarray(recordings.x).shape == ((3000 - 720) // 360 + 1, 2, 128)
    assert np.isfinite(recordings.x).all()
    assert recordings.group is not None
    assert set(recordings.group.tolist()) == {4}
    assert set(recordings.y.tolist()) == {1}
    assert recordings.dropped == {
        "a constant channel": 1,
        "shorter than a window of 720 samples": 1,
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: Clean(shape=[2]),
        lambda: Clean(shape=[0, 5]),
        lambda: Clean(max_missing=1.5),
        lambda: Clean(max_missing=float("nan")),
        lambda: Clean(low=1, high=1),
        lambda: Impute("mean"),  # type: ignore[arg-type]
        lambda: Impute(neighbors=0),
        lambda: Impute(max_missing=2),
        lambda: Window(0, 1),
        lambda: Window(1, 0),
        lambda: BaselineWander(0),
        lambda: BandPass(5, 5),
        lambda: BandPass(0, 5),
        lambda: BandPass(order=0),
        lambda: Channels([]),
        lambda: Channels([-1]),
        lambda: Channels([0, 0]),
        lambda: Polyphase(0),
        lambda: Polyphase(float("inf")),
        lambda: FixedRate(0),
        lambda: LTTB(2),
        lambda: Interpolate(2),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], Step]) -> None:
    with pytest.raises(ConfigError):
        make()
