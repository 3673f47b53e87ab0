"""A store's name is the digest of all that it depends on, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecgan.assembly import open_data
from ecgan.config import compose
from ecgan.data.sources.sine import Sine
from ecgan.data.store import Store

SMALL = ["dataset=sine", "dataset.n_series=30", "dataset.seq_len=32"]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenSine:
    monkeypatch.delenv("ECGAN_MIRROR", raising=False)
    return OpenSine(tmp_path / "data")


class OpenSine:
    """Open the store of a small sine set with some settings changed."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def __call__(self, *changes: str, dataset: list[str] = SMALL) -> Store:
        return open_data(compose([*dataset, f"paths.data={self.data}", *changes]))


def test_same_settings_open_the_same_store(opened: OpenSine) -> None:
    first, again = opened(), opened()
    assert first.directory == again.directory
    assert first.directory.parent == opened.data / "sine" / "processed"
    assert first.directory.name == first.manifest["hash"][:16]


def test_what_does_not_touch_the_series_keeps_the_store(opened: OpenSine) -> None:
    changes = [
        "seed=7",
        "split=holdout",
        "model=beatgan",
        "transform=standard",
        "detector=knn",
        "threshold=max_f1",
        "trainer.max_epochs=1",
        "data.batch_size=3",
        "preprocess.length=100",  # no step uses it
        "paths.mirror=.",
        "tracker.project=other",
    ]
    assert opened(*changes).directory == opened().directory


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return OpenSine(tmp_path_factory.mktemp("plain"))("paths.mirror=null")


@pytest.mark.parametrize(
    "change",
    [
        "dataset.seed=7",
        "dataset.n_series=31",
        "dataset.noise_share=0.4",
        "dataset.amplitude=2",
        "preprocess=interpolate preprocess.length=16",
        "preprocess=lttb preprocess.length=16",
    ],
)
def test_what_changes_the_series_changes_the_store(opened: OpenSine, plain: Store, change: str) -> None:
    changed = opened(*change.split())
    assert changed.directory.name != plain.directory.name
    assert changed.manifest["hash"] != plain.manifest["hash"]


def test_another_version_of_a_source_is_another_store(
    opened: OpenSine, plain: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened().directory.name == plain.directory.name
    monkeypatch.setattr(Sine, "version", "a later one")
    assert opened().directory.name != plain.directory.name


def test_two_lengths_of_a_step_are_two_stores(opened: OpenSine) -> None:
    short = opened("preprocess=interpolate", "preprocess.length=16")
    long = opened("preprocess=interpolate", "preprocess.length=64")
    assert short.directory.exists(), "both lie side by side"
    assert (short.data.shape, long.data.shape) == ((30, 1, 16), (30, 1, 64))


def test_a_changed_raw_file_is_another_store(opened: OpenSine) -> None:
    raw = opened.data / "toy" / "raw"
    raw.mkdir(parents=True)
    rows = [[i % 2 + 1, *np.sin(np.arange(20) + i).round(6)] for i in range(12)]
    text = "\n".join("\t".join(str(value) for value in row) for row in rows) + "\n"
    (raw / "Toy_TRAIN.tsv").write_text(text)
    (raw / "Toy_TEST.tsv").write_text(text)
    ucr = ["dataset=ucr", "dataset.name=Toy"]
    before = opened(dataset=ucr)
    assert opened(dataset=ucr).directory == before.directory
    (raw / "Toy_TEST.tsv").write_text(text.replace("0.0", "0.25", 1))
    after = opened(dataset=ucr)
    assert after.directory != before.directory
    assert not np.array_equal(after.data, before.data)


def test_the_bundled_beats_come_through_the_front_door(opened: OpenSine) -> None:
    store = opened(dataset=["dataset=ecg5000"])
    assert store.data.shape == (5000, 1, 140)
    assert list(store.manifest["counts"].values()) == [2919, 1767, 96, 194, 24]
    assert store.manifest["raw"].keys() == {"ecg5000.npz"}
