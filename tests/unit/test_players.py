"""Generators and critics: shapes, norms, and what each series is judged by."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ecgan.errors import ConfigError
from ecgan.networks.autoencoders import HIGHEST, LOWEST, ConvAutoencoderNet, VariationalNet
from ecgan.networks.conv import Doubled, Norm, normalization
from ecgan.networks.players import ConvCritic, ConvGenerator
from ecgan.networks.recurrent import LSTMAutoencoderNet, RecurrentCritic, RecurrentGenerator, fold
from ecgan.types import DataSpec

LENGTHS = (16, 17, 64, 187, 1250)
CHANNELS = (1, 2, 12)
SPEC = DataSpec(seq_len=41, channels=2, n_classes=2)
CRITICS: dict[str, Callable[..., nn.Module]] = {
    "conv": lambda spec=SPEC, **settings: ConvCritic(spec, 8, 3, **settings),
    "recurrent": lambda spec=SPEC, **settings: RecurrentCritic(spec, 8, **settings),
}
GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "conv": lambda spec=SPEC: ConvGenerator(spec, 6, 8, 4),
    "recurrent": lambda spec=SPEC: RecurrentGenerator(spec, 6, 8),
}
every_critic = pytest.mark.parametrize("name", CRITICS)


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("length", LENGTHS)
@torch.no_grad()
def test_players_fit_every_series(length: int, channels: int) -> None:
    spec = DataSpec(length, channels, 2)
    for generator in GENERATORS.values():
        assert generator(spec)(draw(3, 6)).shape == (3, channels, length)
    for critic in CRITICS.values():
        made = critic(spec)
        x = draw(3, channels, length)
        assert made(x).shape == (3,)
        assert made.features(x).shape[0] == 3


@pytest.mark.parametrize("seq_len", [2, 3, 16, 17])
def test_doubling_repeats_each_sample_and_the_last_once_more_where_the_length_is_odd(seq_len: int) -> None:
    x = torch.arange(1.0, 1 + seq_len // 2).view(1, 1, -1)
    naive = [value for value in x.flatten().tolist() for _ in range(2)]
    naive += naive[-1:] if seq_len % 2 else []
    assert Doubled(seq_len)(x).flatten().tolist() == naive


@every_critic
def test_a_critic_judges_each_series_on_its_own_in_training_too(name: str) -> None:
    torch.manual_seed(0)
    critic, x = CRITICS[name]().train(), draw(5, 2, 41)
    together = critic(x)
    alone = torch.cat([critic(x[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_a_critic_with_batch_statistics_is_refused() -> None:
    with pytest.raises(ConfigError, match="use group, layer or none"):
        CRITICS["conv"](norm="batch")


@every_critic
def test_the_output_is_a_linear_function_of_the_features(name: str) -> None:
    torch.manual_seed(0)
    critic, x = CRITICS[name]().eval(), draw(4, 2, 41)
    last = critic.network.head if name == "conv" else critic.output  # type: ignore[union-attr]
    assert isinstance(last, nn.Linear)
    torch.testing.assert_close(critic(x), last(critic.features(x)).squeeze(1), rtol=1e-5, atol=1e-6)  # type: ignore[operator]
    assert torch.isfinite(critic(1e4 * x)).all()
    assert (1e4 * critic(x)).abs().max() > 1  # nothing squashes it


@every_critic
def test_a_critics_gradient_can_be_differentiated(name: str) -> None:
    critic, x = CRITICS[name](), draw(3, 2, 41).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    slope.square().sum().backward()  # type: ignore[no-untyped-call]
    weights = [value for key, value in critic.named_parameters() if "weight" in key]
    assert any(value.grad is not None and value.grad.abs().sum() > 0 for value in weights)


@pytest.mark.parametrize("bidirectional", [True, False])
@torch.no_grad()
def test_a_recurrent_critic_may_read_from_both_ends(bidirectional: bool) -> None:
    torch.manual_seed(0)
    critic = CRITICS["recurrent"](bidirectional=bidirectional)
    x = draw(1, 2, 41)
    early, late = x.clone(), x.clone()
    early[..., 0] += 1
    late[..., -1] += 1
    hidden = [critic.recurrent(critic.embed(fold(series, 5)))[0][0] for series in (x, early, late)]  # type: ignore[operator]
    assert not torch.equal(hidden[0][-1], hidden[1][-1])
    assert torch.equal(hidden[0][0], hidden[2][0]) != bidirectional


@torch.no_grad()
def test_features_of_a_recurrent_critic_are_the_mean_over_its_steps() -> None:
    torch.manual_seed(0)
    critic, x = RecurrentCritic(DataSpec(40, 1, 2), 8, patch=5), draw(2, 1, 40)
    hidden, _ = critic.recurrent(critic.embed(x.reshape(2, 8, 5)))
    judged = [critic.judge(hidden[:, step]) for step in range(8)]
    torch.testing.assert_close(critic.features(x), sum(judged) / 8)
    logits = sum(critic.output(step) for step in judged) / 8
    torch.testing.assert_close(critic(x), logits.squeeze(1))


@torch.no_grad()
def test_spectral_norm_of_a_recurrent_critic_bounds_its_output_layer() -> None:
    torch.manual_seed(0)
    critic = CRITICS["recurrent"](spectral_norm=True)
    for _ in range(30):
        critic(draw(2, 2, 41))
    assert float(torch.linalg.matrix_norm(critic.eval().output.weight, 2)) == pytest.approx(1, abs=1e-3)  # type: ignore[union-attr]


GROUPS = {"layer": 1, "group": 4}
"""Of 12 channels."""


@pytest.mark.parametrize("norm", GROUPS)
@torch.no_grad()
def test_norms_of_one_series_are_those_of_a_loop(norm: Norm) -> None:
    x = draw(3, 12, 7) * 5 + 2
    found = normalization(norm, 12)(x)
    size = 12 // GROUPS[norm]
    for row in range(3):
        for start in range(0, 12, size):
            values = x[row, start : start + size].double()
            expected = (values - values.mean()) / (values.var(correction=0) + 1e-5).sqrt()
            torch.testing.assert_close(found[row, start : start + size].double(), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_batch_norm_is_over_the_batch_and_no_norm_is_nothing() -> None:
    x = draw(3, 4, 7) * 5 + 2
    found = normalization("batch", 4)(x).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.mean(1), torch.zeros(4), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.std(1, correction=0), torch.ones(4), rtol=1e-4, atol=0)
    assert torch.equal(normalization("none", 4)(x), x)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConvGenerator(SPEC, latent=0),
        lambda: ConvAutoencoderNet(SPEC, latent=0),
        lambda: LSTMAutoencoderNet(SPEC, latent=0),
        lambda: RecurrentGenerator(SPEC, latent=0),
        lambda: ConvGenerator(SPEC, width=0),
        lambda: ConvCritic(SPEC, width=-1),
        lambda: ConvCritic(SPEC, depth=0),
    ],
)
def test_a_network_without_a_size_is_refused(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(ConfigError, match=r"The network's (latent|width|depth) is (0|-1) but must be at least 1\."):
        make()


@torch.no_grad()
def test_a_variational_network_reconstructs_from_its_mean() -> None:
    torch.manual_seed(0)
    network, x = VariationalNet(SPEC, 3, 8, 3).eval(), draw(4, 2, 41)
    mean, log_variance = network.moments(x)
    assert mean.shape == log_variance.shape == (4, 3)
    assert torch.equal(network.encode(x), mean)
    assert torch.equal(network(x), network.decode(mean))


@torch.no_grad()
def test_noise_has_the_variance_that_the_network_says() -> None:
    torch.manual_seed(0)
    network, x = VariationalNet(SPEC, 3, 8, 3).eval(), draw(1, 2, 41)
    drawn: list[Tensor] = []
    network.decode = lambda z, _=None: drawn.append(z) or z  # type: ignore[assignment,func-returns-value]
    _, mean, log_variance = network.through_noise(x.expand(20_000, -1, -1))
    z = torch.cat(drawn)
    torch.testing.assert_close(z.mean(0), mean[0], rtol=0, atol=0.03)
    torch.testing.assert_close(z.std(0), (log_variance[0] / 2).exp(), rtol=0.03, atol=0)


@torch.no_grad()
def test_a_wild_encoder_keeps_a_finite_variance() -> None:
    network = VariationalNet(SPEC, 3, 8, 3, norm="none")
    for parameter in network.encoder.head.parameters():
        parameter.mul_(1e6)
    _, log_variance = network.moments(draw(4, 2, 41))
    assert LOWEST <= float(log_variance.min()) <= float(log_variance.max()) <= HIGHEST
    assert torch.isfinite(log_variance.exp()).all()
