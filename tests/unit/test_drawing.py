"""Drawing from a model: seeded, in pieces of one size, in the original unit, with the classes asked for."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgan.capabilities import Samples
from ecgan.data.transforms.scaling import Identity, MinMax
from ecgan.errors import RunError
from ecgan.generate.drawing import FEWEST, MOST, chunk_size, draw_series
from ecgan.generate.writing import Chunk
from ecgan.types import DataSpec, FloatArray

SPEC = DataSpec(40, 2, 3)


class Noise(nn.Module):
    """Draws noise around the number of the class, and keeps count of what it is asked."""

    def __init__(self, conditional: bool = False, last: float = 1.0) -> None:
        super().__init__()
        self.conditional, self.last = conditional, last
        self.scale = nn.Parameter(torch.ones(1))
        self.asked: list[int] = []
        self.given: list[weakref.ref[Tensor]] = []

    def draw(self, n: int, generator: torch.Generator, y: Tensor | None = None) -> Tensor:
        return torch.randn(n, SPEC.channels * SPEC.seq_len, generator=generator)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        x = z.unflatten(1, (SPEC.channels, SPEC.seq_len)) * self.scale
        return x if y is None else x * 0.01 + y[:, None, None]

    def sample(self, n: int, generator: torch.Generator, y: Tensor | None = None) -> Tensor:
        x = self.decode(self.draw(n, generator, y), y)
        self.asked.append(n)
        self.given.append(weakref.ref(x))
        return x / self.last if len(self.asked) == 2 else x


def together(chunks: list[Chunk]) -> tuple[FloatArray, list[int]]:
    x = np.concatenate([x for x, _ in chunks])
    return x, [int(c) for _, label in chunks if label is not None for c in label]


def test_the_model_has_the_capability() -> None:
    assert isinstance(Noise(), Samples)


def test_series_depend_on_all_parts_of_the_seed() -> None:
    drawn = [
        together(list(draw_series(Noise(), Identity(), SPEC, 5, seed)))[0] for seed in [(0, 0), (0, 0), (0, 1), (1, 0)]
    ]
    assert np.array_equal(drawn[0], drawn[1])
    assert len({x.tobytes() for x in drawn}) == 3


def test_the_callers_random_numbers_are_left_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    list(draw_series(Noise(), Identity(), SPEC, 5, (0,)))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("shares", [None, [0.5, 0.3, 0.2]])
def test_the_first_of_many_are_those_of_a_few(shares: list[float] | None) -> None:
    frequent = None if shares is None else np.array(shares)
    size = chunk_size(SPEC)
    x, label = together(list(draw_series(Noise(shares is not None), Identity(), SPEC, 3 * size + 7, (2,), frequent)))
    assert x.shape == (3 * size + 7, 2, 40)
    for n in (1, size - 1, size, size + 1):
        few, their_label = together(list(draw_series(Noise(shares is not None), Identity(), SPEC, n, (2,), frequent)))
        assert np.array_equal(few, x[:n])
        assert their_label == label[:n]


def test_the_model_is_asked_for_pieces_of_one_size() -> None:
    model = Noise()
    lengths = [len(x) for x, _ in draw_series(model, Identity(), SPEC, 1100, (0,))]
    assert model.asked == [MOST] * 3
    assert lengths == [MOST, MOST, 1100 - 2 * MOST]


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        (DataSpec(16, 1, 2), MOST),
        (DataSpec(140, 1, 5), MOST),
        (DataSpec(1000, 12, 5), 21),
        (DataSpec(5000, 12, 5), FEWEST),
    ],
)
def test_pieces_are_smaller_where_series_are_larger(spec: DataSpec, size: int) -> None:
    assert chunk_size(spec) == size


def test_classes_are_as_frequent_as_they_shall_be() -> None:
    shares = np.array([0.7, 0.0, 0.3])
    x, label = together(list(draw_series(Noise(True), Identity(), SPEC, 20_000, (0,), shares)))
    found = np.bincount(label, minlength=3) / len(label)
    assert found[1] == 0
    assert np.abs(found - shares).max() < 4 * np.sqrt(0.7 * 0.3 / len(label))  # four standard errors
    assert np.array_equal(np.rint(x.mean(axis=(1, 2))), label)  # each series is of its class


def test_one_class_alone() -> None:
    _, label = together(list(draw_series(Noise(True), Identity(), SPEC, 50, (0,), np.array([0.0, 1.0, 0.0]))))
    assert label == [1] * 50


def test_series_are_in_the_original_unit() -> None:
    transform = MinMax()
    transform.fit([np.array([[[-3, 5.0]], [[0, 1]]], np.float32).repeat(2, axis=1)])
    (plain,), (scaled,) = (list(draw_series(Noise(), t, SPEC, 4, (0,))) for t in (Identity(), transform))
    assert scaled[0].dtype == np.float32
    assert np.allclose(scaled[0], (plain[0] + 1) / 2 * 8 - 3, atol=1e-5)


def test_values_that_are_not_finite_are_refused() -> None:
    chunks = draw_series(Noise(last=0.0), Identity(), SPEC, 2 * MOST, (0,))
    next(chunks)
    with pytest.raises(RunError, match="Noise draws values that are not finite"):
        next(chunks)


def test_nothing_is_kept_and_no_gradient_is_recorded() -> None:
    model = Noise()
    for x, _ in draw_series(model, Identity(), SPEC, 20 * MOST, (0,)):
        alive = [given() for given in model.given]
        assert sum(tensor is not None for tensor in alive) <= 1
        assert all(tensor is None or not tensor.requires_grad for tensor in alive)
        del x, alive
