"""Networks at every length from 16 on and any number of channels."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ecgan.errors import ConfigError, DataError
from ecgan.networks.conv import ConvDecoder, ConvEncoder, Norm, halvings, normalization
from ecgan.networks.recurrent import LSTMAutoencoderNet, Patches
from ecgan.types import DataSpec

LENGTHS = (16, 17, 64, 140, 152, 187, 1250)
CHANNELS = (1, 2, 12)
BATCH = 3


def series(channels: int, length: int) -> Tensor:
    return torch.randn(BATCH, channels, length, generator=torch.Generator().manual_seed(length))


def conv_pair(channels: int, length: int, norm: Norm = "batch") -> tuple[ConvEncoder, ConvDecoder]:
    """Encoder and decoder that fit together."""
    torch.manual_seed(0)
    return ConvEncoder(channels, length, 5, 8, 5, norm), ConvDecoder(channels, length, 5, 8, 5, norm)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("length", LENGTHS)
def test_convolutions_give_back_the_shape(length: int, channels: int) -> None:
    encoder, decoder = conv_pair(channels, length)
    x = series(channels, length)
    z = encoder(x)
    assert z.shape == (BATCH, 5)
    assert encoder.features(x).shape == (BATCH, encoder.n_features)
    assert decoder(z).shape == x.shape


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("length", LENGTHS)
def test_lstm_autoencoder_gives_back_the_shape(length: int, channels: int) -> None:
    network = LSTMAutoencoderNet(DataSpec(length, channels, 2), latent=6, patch=10)
    x = series(channels, length)
    assert network.encode(x).shape == (BATCH, 6)
    assert network(x).shape == x.shape


def test_convolutions_refuse_fifteen_samples_in_a_sentence() -> None:
    for network in (ConvEncoder, ConvDecoder):
        with pytest.raises(DataError, match=r"need series of 16 samples or more; these have 15\."):
            network(1, 15, 4)


def test_convolutions_refuse_no_layers() -> None:
    with pytest.raises(ConfigError, match=r"The network's depth is 0 but must be at least 1"):
        ConvDecoder(1, 64, 4, depth=0)


@given(st.integers(16, 5000), st.integers(1, 9))
@settings(deadline=None, derandomize=True)
def test_halvings_stop_at_four_samples_or_at_the_depth(length: int, depth: int) -> None:
    lengths = halvings(length, depth)
    assert lengths[0] == length
    assert all(after == before // 2 for before, after in pairwise(lengths))
    assert lengths[-1] >= 4
    assert len(lengths) - 1 == depth or lengths[-1] < 8


@given(st.integers(16, 300), st.integers(1, 3), st.integers(1, 7))
@settings(deadline=None, derandomize=True, max_examples=30)
def test_decoder_mirrors_encoder_at_any_length_and_depth(length: int, channels: int, depth: int) -> None:
    encoder = ConvEncoder(channels, length, 3, 4, depth, "none")
    decoder = ConvDecoder(channels, length, 3, 4, depth, "none")
    x = torch.zeros(1, channels, length)
    assert decoder(encoder(x)).shape == x.shape
    assert encoder.n_features == decoder.bottom[0] * decoder.bottom[1]


@pytest.mark.parametrize("norm", get_args(Norm))
@pytest.mark.parametrize("width", [1, 6, 12, 32])
def test_every_normalization_fits_every_width(norm: Norm, width: int) -> None:
    encoder, decoder = ConvEncoder(2, 40, 3, width, 3, norm), ConvDecoder(2, 40, 3, width, 3, norm)
    assert torch.isfinite(decoder(encoder(series(2, 40)))).all()
    assert normalization(norm, width)(torch.randn(2, width, 8)).shape == (2, width, 8)


def test_no_output_is_squashed() -> None:
    # a tanh that saturates at one sample early on gets no gradient there and stays wrong
    torch.manual_seed(0)
    assert ConvDecoder(1, 64, 4, 8, 3, "none")(1e4 * torch.randn(20, 4)).abs().max() > 10
    assert not any(isinstance(layer, nn.Tanh | nn.Sigmoid) for layer in ConvDecoder(1, 64, 4).modules())


def eval_networks() -> dict[str, nn.Module]:
    encoder, decoder = conv_pair(2, 40)
    networks = {"conv": nn.Sequential(encoder, decoder), "lstm": LSTMAutoencoderNet(DataSpec(40, 2, 2), 4, 7)}
    return {name: network.eval() for name, network in networks.items()}


@pytest.mark.parametrize("name", ["conv", "lstm"])
def test_series_of_a_batch_do_not_mix_in_eval(name: str) -> None:
    x = series(2, 40).requires_grad_()
    eval_networks()[name](x)[1].sum().backward()
    assert x.grad is not None
    assert x.grad[1].abs().sum() > 0
    assert x.grad[0].abs().sum() == x.grad[2].abs().sum() == 0


@pytest.mark.parametrize("name", ["conv", "lstm"])
def test_every_sample_and_channel_reaches_the_latent_vector(name: str) -> None:
    network = eval_networks()[name]
    x = series(2, 40).requires_grad_()
    (network[0] if isinstance(network, nn.Sequential) else network.encode)(x).square().sum().backward()  # type: ignore[operator]
    assert x.grad is not None
    # a stride-2 kernel of 4 sees the last sample too; the recurrent one folds all of them into steps
    assert (x.grad.abs().sum(0) > 0).all()


@given(st.integers(1, 60), st.integers(1, 4), st.data())
@settings(deadline=None, derandomize=True, max_examples=60)
def test_unfolding_patches_undoes_folding(length: int, channels: int, data: st.DataObject) -> None:
    patch = data.draw(st.integers(1, length))
    patches = Patches(channels, length, patch)
    x = torch.arange(2.0 * channels * length).view(2, channels, length)
    folded = patches.fold(x)
    assert folded.shape == (2, patches.steps, channels * patch)
    assert (patches.steps - 1) * patch < length <= patches.steps * patch
    assert torch.equal(patches.unfold(folded), x)


def test_a_step_holds_neighboring_samples_and_the_last_is_repeated() -> None:
    folded = Patches(2, 5, 2).fold(torch.tensor([[[1.0, 2, 3, 4, 5], [10, 20, 30, 40, 50]]]))
    assert folded[0].tolist() == [[1, 2, 10, 20], [3, 4, 30, 40], [5, 5, 50, 50]]


@pytest.mark.parametrize("patch", [0, -1, 17])
def test_patches_refuse_what_does_not_fit(patch: int) -> None:
    with pytest.raises(ConfigError, match=r"patch is .* between 1 and the length of the series, 16"):
        Patches(1, 16, patch)


@torch.no_grad()
def test_spectral_normalization_bounds_every_layer() -> None:
    torch.manual_seed(0)
    critic = ConvEncoder(1, 64, 1, 8, 3, "none", spectral_norm=True)
    for _ in range(60):  # each pass in training is one step of the power iteration
        critic(series(1, 64))
    critic.eval()
    convolutions = [layer for layer in critic.layers if isinstance(layer, nn.Conv1d)]
    largest = [float(torch.linalg.matrix_norm(layer.weight.flatten(1), 2)) for layer in convolutions]
    assert len(largest) == 3
    assert largest == pytest.approx([1.0] * 3, abs=0.02)
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    critic(series(1, 64))
    assert all(torch.equal(value, before[name]) for name, value in critic.state_dict().items())
