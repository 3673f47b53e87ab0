"""Processes of one training: their noise, and what is said of one that ends."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from ecgan import devices
from ecgan.devices import OwnRandomNumbers, Place, together
from ecgan.errors import RunError

CPU = torch.device("cpu")


def noise(seed: int, rank: int, epoch: int) -> tuple[float, ...]:
    trainer = cast(Any, SimpleNamespace(current_epoch=epoch))
    OwnRandomNumbers(seed, rank).on_train_epoch_start(trainer, cast(Any, None))
    return tuple(torch.rand(3).tolist())


def test_noise_differs_by_seed_device_and_epoch_and_comes_again() -> None:
    keys = [(seed, rank, epoch) for seed in (0, 1) for rank in (1, 2) for epoch in (0, 1)]
    drawn = [noise(*key) for key in keys]
    assert len(set(drawn)) == len(keys)
    assert [noise(*key) for key in keys] == drawn


def test_lightning_finds_its_place() -> None:
    place = Place(2, 4)
    assert (place.global_rank(), place.local_rank(), place.world_size(), place.node_rank()) == (2, 2, 4, 0)
    assert place.creates_processes_externally


def test_one_device_needs_no_group(tmp_path: Path) -> None:
    with together(tmp_path, 0, 1, CPU):
        assert not torch.distributed.is_initialized()


def test_a_process_that_ends_at_once_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds no run in its directory, and says so; whoever waits for it hears of it."""
    with (
        pytest.raises(RunError, match=r"The process of device 1 has ended \(.+\); go on with resume="),
        together(tmp_path / "nothing", 0, 2, CPU),
    ):
        pytest.fail("there is no group")
    assert not torch.distributed.is_initialized()


def test_a_failure_of_the_first_process_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are ended, and are not blamed."""
    (tmp_path / "waiting.py").write_text("import sys; sys.stdin.read()", encoding="utf-8")
    monkeypatch.setattr(devices, "PROGRAM", "waiting")
    monkeypatch.setattr(devices, "NOTICING_S", 0.1)
    monkeypatch.setattr(devices, "_join", lambda *_: None)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="of its own"), together(tmp_path, 0, 3, CPU):
        raise RuntimeError("of its own")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("trainer.devices=0",), "trainer.devices is 0"),
        (("trainer.devices=3", "data.batch_size=2"), "data.batch_size is 2 but each of 3 devices"),
    ],
)
def test_numbers_that_cannot_be(settings: tuple[str, ...], told: str) -> None:
    from ecgan.config import compose
    from ecgan.errors import ConfigError

    with pytest.raises(ConfigError, match=told):
        compose(settings)
