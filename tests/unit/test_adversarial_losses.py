"""Games between critic and generator, against the formulas, critics whose gradient is known, and naive loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ecgan.errors import ConfigError
from ecgan.losses import BCE, LSGAN, WGANGP, AdversarialLoss, Hinge, WGANClip

SHAPE = (2, 5)
logits = st.lists(st.floats(-30, 30, width=32), min_size=4, max_size=4)


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


CRITIC: dict[str, Callable[[float, float], float]] = {
    "bce": lambda r, f: -math.log(1 / (1 + math.exp(-r))) - math.log(1 - 1 / (1 + math.exp(-f))),
    "lsgan": lambda r, f: ((r - 1) ** 2 + f**2) / 2,
    "hinge": lambda r, f: max(0.0, 1 - r) + max(0.0, 1 + f),
    "wgan_clip": lambda r, f: f - r,
}
GENERATOR: dict[str, Callable[[float], float]] = {
    "bce": lambda f: softplus(-f),
    "lsgan": lambda f: (f - 1) ** 2 / 2,
    "hinge": lambda f: -f,
    "wgan_clip": lambda f: -f,
    "wgan_gp": lambda f: -f,
}
GAMES: dict[str, Callable[[], AdversarialLoss]] = {
    "bce": BCE,
    "lsgan": LSGAN,
    "hinge": Hinge,
    "wgan_clip": WGANClip,
    "wgan_gp": WGANGP,
}


def carrying(values: list[float]) -> Tensor:
    """Series (B, C, T) whose first sample is what ``first`` makes of them."""
    return torch.tensor(values).view(-1, 1, 1).expand(-1, *SHAPE)


def first(x: Tensor) -> Tensor:
    """A critic that looks at one sample."""
    return x[:, 0, 0]


@pytest.mark.parametrize("name", CRITIC)
@settings(deadline=None, derandomize=True, max_examples=40)
@given(logits, logits)
def test_the_critics_loss_is_the_mean_of_its_formula(name: str, real: list[float], fake: list[float]) -> None:
    parts = GAMES[name]().critic(first, carrying(real), carrying(fake))
    expected = sum(CRITIC[name](r, f) for r, f in zip(real, fake, strict=True)) / len(real)
    assert len(parts) == 1
    assert float(*parts.values()) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", GENERATOR)
@settings(deadline=None, derandomize=True, max_examples=40)
@given(logits)
def test_the_generators_loss_is_the_mean_of_its_formula(name: str, fake: list[float]) -> None:
    expected = sum(map(GENERATOR[name], fake)) / len(fake)
    assert float(GAMES[name]().generator(torch.tensor(fake))) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_an_undecided_critic_pays_two_bits() -> None:
    assert float(BCE().critic(first, carrying([0.0]), carrying([0.0]))["bce"]) == pytest.approx(2 * math.log(2))


def test_a_sure_critic_pays_nothing_and_a_wrong_one_stays_finite() -> None:
    high, low = carrying([1e4, 1e4]), carrying([-1e4, -1e4])
    assert float(BCE().critic(first, high, low)["bce"]) == 0
    assert float(BCE().critic(first, low, high)["bce"]) == pytest.approx(2e4)
    assert float(BCE().generator(torch.tensor([-1e4]))) == pytest.approx(1e4)


@pytest.mark.parametrize("name", GAMES)
def test_each_player_gets_what_it_wants_from_the_same_critic(name: str) -> None:
    """One step down each gradient: the critic tells them apart better, the generator is told apart less."""
    real, fake = torch.tensor([0.3]), torch.tensor([0.2])
    r, f = real.clone().requires_grad_(), fake.clone().requires_grad_()
    series = torch.cat([r, f]).view(2, 1, 1).expand(-1, *SHAPE)
    parts = GAMES[name]().critic(first, series[:1], series[1:])
    parts.pop("penalty", None)
    sum(parts.values()).backward()  # type: ignore[union-attr]
    assert r.grad is not None
    assert f.grad is not None
    assert float(r.grad) < 0 < float(f.grad)
    g = fake.clone().requires_grad_()
    GAMES[name]().generator(g).backward()  # type: ignore[no-untyped-call]
    assert g.grad is not None
    assert float(g.grad) < 0


@pytest.mark.parametrize("name", GAMES)
def test_real_and_generated_series_are_judged_in_one_pass(name: str) -> None:
    seen: list[int] = []

    def judge(x: Tensor) -> Tensor:
        seen.append(len(x))
        return first(x)

    GAMES[name]().critic(judge, carrying([1.0, 2.0, 3.0]), carrying([4.0, 5.0, 6.0]))
    assert seen == ([6, 3] if name == "wgan_gp" else [6])


def linear(norm: float) -> Callable[[Tensor], Tensor]:
    """A critic whose gradient has this norm everywhere."""
    direction = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    direction *= norm / direction.norm()
    return lambda x: (x * direction).flatten(1).sum(1)


def draws(seed: int, n: int = 6) -> Tensor:
    return torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("norm", [0.25, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_known(norm: float) -> None:
    parts = WGANGP(penalty=7.0).critic(linear(norm), draws(1), draws(2))
    assert float(parts["penalty"]) == pytest.approx(7 * (norm - 1) ** 2, rel=1e-5, abs=1e-6)
    expected = linear(norm)(draws(2)).mean() - linear(norm)(draws(1)).mean()
    assert float(parts["wasserstein"]) == pytest.approx(float(expected), rel=1e-5)


def test_the_penalty_is_taken_between_real_and_generated_series_one_place_for_each_pair() -> None:
    real, fake = draws(1), draws(2)
    places: list[Tensor] = []

    def judge(x: Tensor) -> Tensor:
        places.append(x.detach())
        return x.square().flatten(1).sum(1) / 2  # its gradient is x itself

    torch.manual_seed(0)
    parts = WGANGP(penalty=1.0).critic(judge, real, fake)
    between = places[1]
    share = (between - fake) / (real - fake)
    flat = share.flatten(1)
    assert float((flat - flat[:, :1]).abs().max()) < 1e-3  # one share for all samples of a series
    assert 0 <= float(flat.min()) <= float(flat.max()) <= 1
    assert float(flat[:, 0].std()) > 0.05  # and another one for each pair
    expected = [(math.sqrt(sum(v * v for v in one.flatten().tolist())) - 1) ** 2 for one in between]
    assert float(parts["penalty"].detach()) == pytest.approx(sum(expected) / len(expected), rel=1e-4)


def test_the_penalty_teaches_the_critic_a_slope_of_one() -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(10, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.02)
    for _ in range(30):
        optimizer.zero_grad()
        WGANGP().critic(critic, draws(1), draws(2))["penalty"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(next(critic.parameters()).detach().norm()) == pytest.approx(1, abs=1e-3)


def test_generated_series_get_no_gradient_from_the_critics_loss() -> None:
    fake = draws(2).requires_grad_()
    parts = WGANGP().critic(lambda x: x.square().flatten(1).sum(1), draws(1), fake)
    (through,) = torch.autograd.grad(parts["penalty"], fake, allow_unused=True)
    assert through is None


def test_no_penalty_no_second_pass() -> None:
    parts = WGANGP(penalty=0.0).critic(linear(3.0), draws(1), draws(2))
    assert set(parts) == {"wasserstein"}


def test_weights_are_clipped_and_those_within_stay() -> None:
    critic = nn.Linear(3, 2)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[0.5, -0.5, 0.05], [0.1, -0.1, 0.0]]))
        critic.bias.copy_(torch.tensor([9.0, -0.09]))
    WGANClip(clip=0.1).bound(critic)
    assert torch.equal(critic.weight, torch.tensor([[0.1, -0.1, 0.05], [0.1, -0.1, 0.0]]))
    assert torch.equal(critic.bias, torch.tensor([0.1, -0.09]))
    assert critic.weight.requires_grad


@pytest.mark.parametrize("name", sorted(set(GAMES) - {"wgan_clip"}))
def test_no_other_game_touches_the_critic(name: str) -> None:
    critic = nn.Linear(3, 2)
    before = [parameter.detach().clone() for parameter in critic.parameters()]
    GAMES[name]().bound(critic)
    assert all(torch.equal(old, new) for old, new in zip(before, critic.parameters(), strict=True))


@pytest.mark.parametrize("name", GAMES)
def test_half_precision_is_left_for_the_sums(name: str) -> None:
    parts = GAMES[name]().critic(lambda x: first(x).bfloat16(), draws(1), draws(2))
    assert all(part.dtype == torch.float32 for part in parts.values())
    assert GAMES[name]().generator(torch.zeros(3, dtype=torch.bfloat16)).dtype == torch.float32


def test_meaningless_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"adversarial\.clip is 0"):
        WGANClip(clip=0)
    with pytest.raises(ConfigError, match=r"adversarial\.penalty is -1"):
        WGANGP(penalty=-1)
