"""Hydra's words for ranges as Optuna's distributions; trials that several processes share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ecgan.errors import ConfigError
from ecgan.sweep.study import asked, draw, open_study, space_of, unsettled, words_of

RANDOM = {"_target_": "optuna.samplers.RandomSampler", "seed": 3}


def space(*words: str) -> dict[str, BaseDistribution]:
    return space_of(OverridesParser.create().parse_overrides(list(words)))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a=interval(0.1,0.5)", FloatDistribution(0.1, 0.5)),
        ("a=tag(log,interval(0.001,1.0))", FloatDistribution(0.001, 1.0, log=True)),
        ("a=int(interval(2,8))", IntDistribution(2, 8)),
        ("a=tag(log,int(interval(1,64)))", IntDistribution(1, 64, log=True)),
        ("a=range(1,10,2)", IntDistribution(1, 9, step=2)),
        ("a=range(0.0,1.0,0.5)", CategoricalDistribution(["0.0", "0.5"])),
        ("a=choice(x,y)", CategoricalDistribution(["x", "y"])),
        ("a=x,null", CategoricalDistribution(["x", "null"])),
    ],
)
def test_ranges(word: str, expected: BaseDistribution) -> None:
    assert space(word) == {"a": expected}


def test_trials_are_shared_and_bounded(tmp_path: Path) -> None:
    ranges = space("m.lr=tag(log,interval(0.001,1.0))", "+k=choice(x,y)")
    one, other = (open_study(tmp_path, "minimize", None) for _ in range(2))
    trials = [asked(study, tmp_path, RANDOM, ranges, 4) for study in (one, other, one, other)]
    assert [trial and trial.number for trial in trials] == [0, 1, 2, 3]
    assert len({trial.params["m.lr"] for trial in trials if trial}) == 4
    assert asked(one, tmp_path, RANDOM, ranges, 4) is None
    assert [trial.number for trial in unsettled(other)] == [0, 1, 2, 3]
    one.tell(2, 0.5)
    assert [trial.number for trial in unsettled(other)] == [0, 1, 3]
    assert set(words_of(unsettled(other)[0])) & {"+k=x", "+k=y"}


def test_the_same_seed_draws_the_same_trials(tmp_path: Path) -> None:
    drawn = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        study = open_study(tmp_path / name, "minimize", None)
        trials = [asked(study, tmp_path / name, RANDOM, space("a=interval(0.0,1.0)"), 3) for _ in range(3)]
        drawn.append([trial.params["a"] for trial in trials if trial])
    assert drawn[0] == drawn[1]


def test_a_study_does_not_turn_around(tmp_path: Path) -> None:
    open_study(tmp_path, "minimize", None)
    with pytest.raises(ConfigError, match=r"give another sweep\.name"):
        open_study(tmp_path, "maximize", None)


def test_figures_of_what_has_finished(tmp_path: Path) -> None:
    study = open_study(tmp_path, "minimize", None)
    assert draw(study, tmp_path, "val/loss") == []
    for n in range(3):
        trial = asked(study, tmp_path, RANDOM, space("a=interval(0.0,1.0)", "b=interval(1,5)"), 3)
        assert trial is not None
        study.tell(trial, trial.params["a"])
        assert len(draw(study, tmp_path, "val/loss")) == (1 if n == 0 else 2)
