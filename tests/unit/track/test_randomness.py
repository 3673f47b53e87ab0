"""All generators go on where they were."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch

from ecgan.track.randomness import random_state, restore_random_state


def drawn() -> list[float]:
    """Of every generator, some numbers; of normal ones an odd count, so that one is kept in reserve."""
    values = [random.random(), *(random.gauss(0, 1) for _ in range(3))]  # noqa: S311
    values += [*np.random.rand(3), *np.random.randn(3)]  # noqa: NPY002
    return values + torch.rand(5).tolist() + torch.randn(3).tolist()


def test_the_same_numbers_come_again(tmp_path: Path) -> None:
    drawn()
    torch.save(random_state(), tmp_path / "state")
    expected = drawn()
    assert drawn() != expected
    restore_random_state(torch.load(tmp_path / "state", weights_only=True))
    assert drawn() == expected


def test_taking_the_state_draws_nothing() -> None:
    state = random_state()
    expected = drawn()
    restore_random_state(state)
    random_state()
    assert drawn() == expected
