"""The search against closed forms, and AnoGAN on top of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgan.detect import anogan as module
from ecgan.detect.anogan import AnoGAN, weights_left_alone
from ecgan.detect.latent_search import Search, search
from ecgan.errors import ConfigError
from ecgan.testing.scorers import InMemory

CPU = torch.device("cpu")
LONG = Search(steps=600, lr=0.05, tolerance=0.0, patience=1000)


class Linear(nn.Module):
    """A generator whose best latent vector is that of least squares."""

    conditional = False

    def __init__(self, latent: int = 3, length: int = 10) -> None:
        super().__init__()
        self.axes = nn.Parameter(torch.randn(latent, length, generator=torch.Generator().manual_seed(3)))
        self.decoded = 0

    def draw(self, n: int, generator: torch.Generator, y: Tensor | None = None) -> Tensor:
        return torch.randn(n, len(self.axes), generator=generator)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        self.decoded += len(z)
        return (z @ self.axes)[:, None]

    def sample(self, n: int, generator: torch.Generator, y: Tensor | None = None) -> Tensor:
        return self.decode(self.draw(n, generator))

    def residual(self, x: Tensor) -> np.ndarray:  # type: ignore[type-arg]
        """Smallest mean squared error of each series."""
        axes = self.axes.detach().numpy().T
        best = [np.linalg.lstsq(axes, series, rcond=None)[0] for series in x[:, 0].numpy()]
        return np.array([np.square(axes @ z - s).mean() for z, s in zip(best, x[:, 0].numpy(), strict=True)])


class Encoding(Linear):
    """The same with a perfect encoder."""

    def encode(self, x: Tensor) -> Tensor:
        return x[:, 0] @ torch.linalg.pinv(self.axes.detach())


def some(n: int = 7, seed: int = 0) -> Tensor:
    return torch.randn(n, 1, 10, generator=torch.Generator().manual_seed(seed))


def scorer(**settings: object) -> AnoGAN:
    given = {"steps": 600, "tolerance": 0.0, "patience": 1000, "pool": 16} | settings
    made = AnoGAN(**given)  # type: ignore[arg-type]
    torch.manual_seed(0)
    made.fit(Linear(), InMemory(some(30, 9), torch.zeros(30, dtype=torch.int64)), CPU)
    return made


def test_the_error_found_is_that_of_least_squares() -> None:
    model, x = Linear(), some()
    np.testing.assert_allclose(scorer().score(model, x), model.residual(x), rtol=1e-3)


def test_a_search_is_plain_adam_for_each_series() -> None:
    model, x = Linear(), some(2)
    start = torch.zeros(1, 2, 3)
    how = Search(steps=20, lr=0.1, tolerance=0.0, patience=100)
    z, errors = search(lambda z, i: (model.decode(z) - x[i]).square().mean((1, 2)), start, how)
    for k in range(2):
        alone = torch.zeros(1, 3, requires_grad=True)
        adam = torch.optim.Adam([alone], lr=0.1)
        seen = []
        for _ in range(20):
            adam.zero_grad()
            loss = (model.decode(alone) - x[k : k + 1]).square().mean()
            seen.append((loss.item(), alone.detach().clone()))
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
        best = min(seen, key=lambda pair: pair[0])
        assert errors[k].item() == pytest.approx(best[0], rel=1e-5)
        torch.testing.assert_close(z[k], best[1][0], rtol=1e-4, atol=1e-5)


def test_each_series_keeps_the_best_of_its_restarts_and_steps() -> None:
    # two valleys: a start on the wrong side never finds the deeper one
    def error(z: Tensor, series: Tensor) -> Tensor:
        x = z[:, 0]
        return (x.square() - 1).square() + 0.3 * x + 1

    one_side = search(error, torch.tensor([[[1.0]], [[1.2]]]), LONG)[1]
    both = search(error, torch.tensor([[[1.0]], [[-1.0]]]), LONG)[1]
    assert both.item() < one_side.item() - 0.5


def test_finished_series_leave_the_batch() -> None:
    asked: list[int] = []

    def error(z: Tensor, series: Tensor) -> Tensor:
        asked.append(len(z))
        return (z[:, 0] - series).square()

    start = torch.zeros(1, 8, 1)
    z, errors = search(error, start, Search(steps=400, lr=0.1, tolerance=1e-3, patience=1000))
    assert asked[0] == 8
    assert sorted(asked, reverse=True) == asked
    assert asked[-1] < 8
    assert len(asked) < 400
    assert (errors <= 1e-3).all()
    assert (z[:, 0] - torch.arange(8)).abs().max() < 0.05


def test_a_series_that_is_done_stays_as_it_is_among_others_that_are_not() -> None:
    def error(z: Tensor, series: Tensor) -> Tensor:
        return (z[:, 0] - series).square()

    how = Search(steps=300, lr=0.1, tolerance=0.05, patience=1000)
    numbers = torch.arange(32)
    together = search(error, torch.zeros(1, 32, 1), how)[1]
    alone = [search(lambda z, _, k=k: error(z, numbers[k : k + 1]), torch.zeros(1, 1, 1), how)[1] for k in range(32)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-6)


def test_a_search_without_gain_ends_after_its_patience() -> None:
    asked: list[int] = []

    def error(z: Tensor, series: Tensor) -> Tensor:
        asked.append(len(z))
        return z[:, 0] * 0 + 1

    search(error, torch.zeros(1, 4, 1), Search(steps=100, lr=0.1, tolerance=0.0, patience=5))
    assert len(asked) == 6


def test_an_error_that_is_not_a_number_is_never_the_best() -> None:
    def error(z: Tensor, series: Tensor) -> Tensor:
        return torch.where(series == 0, torch.nan, z[:, 0].square() + 1)

    _, errors = search(error, torch.ones(1, 2, 1), Search(steps=50, lr=0.1, tolerance=0.0, patience=100))
    assert torch.isinf(errors[0])
    assert errors[1].item() == pytest.approx(1, abs=0.1)


def test_a_score_does_not_depend_on_the_batch_or_the_chunk() -> None:
    model, x = Linear(), some()
    together = scorer(steps=30).score(model, x)
    chunked = scorer(steps=30, chunk=2).score(model, x)
    alone = torch.cat([scorer(steps=30).score(model, x[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(together, chunked, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)


def test_an_encoder_gives_the_search_a_start() -> None:
    model, x = Encoding(), some()
    np.testing.assert_allclose(scorer(steps=1).score(model, x), model.residual(x), rtol=1e-4)
    assert (scorer(steps=1).score(Linear(), x).numpy() > 1.1 * model.residual(x)).any()


@pytest.mark.parametrize("criterion", ["l1", "l2", "rbf", "cosine"])
def test_criteria_are_what_they_are_called(criterion: str) -> None:
    made = scorer(criterion=criterion)
    a, b = some(5, 1), some(5, 2)
    found = made._criterion(a, b)
    for k in range(5):
        u, v = a[k].flatten().double().numpy(), b[k].flatten().double().numpy()
        expected = {
            "l1": np.abs(u - v).mean(),
            "l2": np.square(u - v).mean(),
            "rbf": 1 - np.exp(-np.square(u - v).sum() / (2 * made.width)),
            "cosine": 1 - u @ v / np.linalg.norm(u) / np.linalg.norm(v),
        }[criterion]
        assert found[k].item() == pytest.approx(expected, rel=1e-4)


def test_the_width_is_the_median_squared_distance_of_training_normals() -> None:
    x = some(30, 9)[:, 0].double().numpy()
    distances = sorted(np.square(x[i] - x[j]).sum() for i in range(30) for j in range(i))
    assert scorer().width == pytest.approx(distances[(len(distances) - 1) // 2], rel=1e-6)


def test_twins_among_the_training_normals_do_not_make_the_width_zero() -> None:
    x = torch.cat([some(1, 9).expand(22, -1, -1), some(8, 8)])
    made = AnoGAN("rbf", pool=4)
    made.fit(Linear(), InMemory(x, torch.zeros(30, dtype=torch.int64)), CPU)
    assert torch.isfinite(made._criterion(x, x)).all()


def test_another_encoder_finds_nothing_of_use_in_the_workspace(tmp_path: Path) -> None:
    class Other(Encoding):
        def encode(self, x: Tensor) -> Tensor:
            return super().encode(x) + 1

    x, made = some(4), scorer(steps=1)
    expected = made.score(Other(), x)
    made.workspace = tmp_path
    made.score(Encoding(), x)
    assert torch.equal(made.score(Other(), x), expected)


def test_scoring_that_was_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = Linear(), some(6)
    expected = scorer(steps=20, chunk=2).score(model, x)
    made = scorer(steps=20, chunk=2)
    made.workspace = tmp_path
    calls = 0

    def once_more(*given: object) -> tuple[Tensor, Tensor]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return search(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "search", once_more)
    with pytest.raises(KeyboardInterrupt):
        made.score(model, x)
    assert torch.equal(made.score(model, x), expected)
    assert calls == 4  # two before it was interrupted, the interrupted one, and that one again
    other = scorer(steps=21, chunk=2)
    other.workspace = tmp_path
    other.score(model, x)
    assert calls == 7  # another setting finds nothing of use there


def test_weights_are_left_alone_whatever_happens() -> None:
    model = Linear()
    inside: list[bool] = []

    def interrupted() -> None:
        with weights_left_alone(model):
            inside.append(model.axes.requires_grad)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert inside == [False]
    assert model.axes.requires_grad


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"restarts": 0}, {"pool": 1}, {"lr": 0.0}, {"feature_weight": 1.5}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="anogan"):
        AnoGAN(**wrong)  # type: ignore[arg-type]
