"""Classifiers: networks of any size, losses by hand, and members that do not know of each other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from ecgan.capabilities import Classifies, Reconstructs
from ecgan.engine import quiet
from ecgan.errors import ConfigError, DataError
from ecgan.models.classification import ClassificationModel, balanced_weights
from ecgan.models.classifiers import CNNClassifier, InceptionTime, ResNet1d, RNNClassifier
from ecgan.networks.classifiers import ConvClassifierNet
from ecgan.networks.flat import Conv, as_rows
from ecgan.networks.inception import InceptionNet
from ecgan.networks.residual import ResNet1dNet
from ecgan.types import Batch, DataSpec

SPEC = DataSpec(seq_len=32, channels=2, n_classes=3, class_counts=(5, 2, 1))
MAKERS: dict[str, Callable[..., ClassificationModel]] = {
    "lstm": lambda spec=SPEC, **given: RNNClassifier(spec, adam(), hidden=16, patch=3, **given),
    "gru": lambda spec=SPEC, **given: RNNClassifier(
        spec, adam(), cell="gru", hidden=8, layers=2, bidirectional=True, patch=1, dropout=0.1, **given
    ),
    "cnn": lambda spec=SPEC, **given: CNNClassifier(spec, adam(), width=8, dropout=0.1, **given),
    "resnet1d": lambda spec=SPEC, **given: ResNet1d(spec, adam(), width=8, **given),
    "inception_time": lambda spec=SPEC, **given: InceptionTime(spec, adam(), members=2, width=4, **given),
}
every_model = pytest.mark.parametrize("name", MAKERS)


def adam(lr: float = 1e-2) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    return partial(torch.optim.Adam, lr=lr)


def made(name: str, **given: Any) -> ClassificationModel:
    torch.manual_seed(0)
    return MAKERS[name](**given)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch(n: int = 9, seed: int = 0) -> Batch:
    """Noise whose amplitude tells the class."""
    y = torch.arange(n) % 3
    return Batch(noise(n, 2, 32, seed=seed) * (1 + y)[:, None, None], y, torch.arange(n))


def trained(model: ClassificationModel, batches: list[Batch], epochs: int) -> pl.Trainer:
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    with quiet():
        trainer.fit(model, loader(batches), loader(batches[:1]))
    return trainer


def loader(batches: list[Batch]) -> DataLoader[Any]:
    return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]


@every_model
@pytest.mark.parametrize("seq_len", [16, 33, 140])
@pytest.mark.parametrize("channels", [1, 2, 12])
def test_any_length_and_any_number_of_channels(name: str, seq_len: int, channels: int) -> None:
    model = made(name, spec=DataSpec(seq_len, channels, 4)).eval()
    x = noise(3, channels, seq_len)
    before = x.clone()
    logits = model.classify(x)
    assert (logits.shape, logits.dtype) == ((3, 4), torch.float32)
    assert torch.isfinite(logits).all()
    assert torch.equal(x, before)
    assert torch.equal(model(x), logits), "eval mode draws nothing"
    assert isinstance(model, Classifies)
    assert not isinstance(model, Reconstructs)


@every_model
def test_a_series_is_classified_on_its_own(name: str) -> None:
    model, x = made(name).eval(), noise(6, 2, 32)
    alone = torch.cat([model.classify(series[None]) for series in x])
    torch.testing.assert_close(model.classify(x), alone, rtol=1e-4, atol=1e-5)


@every_model
def test_logits_have_full_precision_in_mixed_precision(name: str) -> None:
    model, x = made(name).eval(), noise(6, 2, 32)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model.classify(x)
    assert mixed.dtype == torch.float32
    assert (mixed - mixed.bfloat16().float()).abs().max() > 0
    torch.testing.assert_close(mixed, model.classify(x), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("make", [ResNet1dNet, InceptionNet, ConvClassifierNet])
def test_too_short_series_are_refused(make: Callable[[int, int], nn.Module]) -> None:
    with pytest.raises(DataError, match="need series of 16 samples or more; these have 15"):
        make(1, 2)(noise(2, 1, 15))


@pytest.mark.parametrize("kernel", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("channels", [1, 3])
def test_convolution_is_the_one_over_time(kernel: int, channels: int) -> None:
    conv, x = Conv(channels, 5, kernel), noise(4, channels, 21)
    padded = F.pad(x, ((kernel - 1) // 2, kernel // 2))
    windows = padded.unfold(2, kernel, 1)  # (B, C, T, kernel)
    expected = torch.einsum("bctk,ock->bot", windows, conv.weight[:, :, 0])
    out = conv(as_rows(x))
    torch.testing.assert_close(out.squeeze(2), expected, rtol=1e-4, atol=1e-5)
    assert out.is_contiguous(memory_format=torch.channels_last), "or the next layer takes the slow kernels"


def conv_reference(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """Convolution and batch normalization in eval mode, from a state dict, written with 1-d operations."""
    kernel = weights[f"{name}.0.weight"][:, :, 0]
    padded = F.pad(x, ((kernel.shape[2] - 1) // 2, kernel.shape[2] // 2))
    return norm_reference(weights, f"{name}.1", F.conv1d(padded, kernel))


def norm_reference(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean, var, gain, bias = (weights[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
    return (x - mean[:, None]) / (var[:, None] + 1e-5).sqrt() * gain[:, None] + bias[:, None]


def warmed_up(network: nn.Module, channels: int) -> nn.Module:
    """In eval mode, with statistics of batch normalization that are not those of the start."""
    torch.manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        network(noise(16, channels, 24, seed=2))
    return network.eval()


def test_residual_network_is_that_of_the_paper() -> None:
    network = warmed_up(ResNet1dNet(2, 3, width=4), 2)
    weights = network.state_dict()
    hidden = x = noise(5, 2, 24)
    for block in range(3):
        before = hidden
        for layer in range(3):
            hidden = conv_reference(weights, f"blocks.{block}.layers.{layer}", hidden)
            hidden = hidden.relu() if layer < 2 else hidden
        same_width = before.shape == hidden.shape
        shortcut = norm_reference if same_width else conv_reference
        hidden = (hidden + shortcut(weights, f"blocks.{block}.shortcut", before)).relu()
    expected = F.linear(hidden.mean(2), weights["head.weight"], weights["head.bias"])
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)
    kernels = [weights[f"blocks.1.layers.{layer}.0.weight"].shape for layer in range(3)]
    assert kernels == [(8, 4, 1, 8), (8, 8, 1, 5), (8, 8, 1, 3)]


def test_inception_network_is_that_of_the_paper() -> None:
    network = warmed_up(InceptionNet(2, 3, width=4, depth=6), 2)
    weights = network.state_dict()
    before = hidden = x = noise(5, 2, 24)
    for i in range(6):
        name = f"stack.{i}"
        reduced = F.conv1d(hidden, weights[f"{name}.bottleneck.weight"][:, :, 0])
        branches = []
        for which, kernel in enumerate((40, 20, 10)):
            kernels = weights[f"{name}.branches.{which}.weight"][:, :, 0]
            assert kernels.shape[2] == kernel
            branches.append(F.conv1d(F.pad(reduced, ((kernel - 1) // 2, kernel // 2)), kernels))
        branches.append(F.conv1d(F.max_pool1d(hidden, 3, 1, 1), weights[f"{name}.pooled.weight"][:, :, 0]))
        hidden = norm_reference(weights, f"{name}.norm", torch.cat(branches, 1)).relu()
        if i in (2, 5):
            before = hidden = (hidden + conv_reference(weights, f"shortcuts.{i // 3}", before)).relu()
    expected = F.linear(hidden.mean(2), weights["head.weight"], weights["head.bias"])
    torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


def test_one_channel_needs_no_bottleneck() -> None:
    names = InceptionNet(1, 2).state_dict()
    assert "stack.0.bottleneck.weight" not in names
    assert "stack.1.bottleneck.weight" in names


def test_balanced_weights_give_all_classes_the_same_say() -> None:
    counts = (6, 3, 0, 1)
    weights = balanced_weights(DataSpec(16, 1, 4, class_counts=counts))
    assert weights.tolist() == pytest.approx([10 / 18, 10 / 9, 0, 10 / 3])
    assert float(weights @ torch.tensor(counts, dtype=torch.float)) == pytest.approx(sum(counts))


@pytest.mark.parametrize("counts", [None, (0, 0, 0)])
def test_weights_without_counts_are_refused(counts: tuple[int, ...] | None) -> None:
    with pytest.raises(ConfigError, match="class_weights=balanced needs the number of training series"):
        made("cnn", spec=DataSpec(32, 2, 3, class_counts=counts), class_weights="balanced")


def test_loss_is_the_weighted_cross_entropy() -> None:
    model = made("cnn", class_weights="balanced", label_smoothing=0.1).eval()
    data = batch()
    log_p = model.classify(data.x).log_softmax(1)
    weights = torch.tensor([8 / 15, 8 / 6, 8 / 3])
    target = F.one_hot(data.y, 3) * 0.9 + 0.1 / 3
    expected = -(target * weights * log_p).sum(1).mean()
    torch.testing.assert_close(model.loss(data), expected)


@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_smoothing_must_be_a_share(value: float) -> None:
    with pytest.raises(ConfigError, match=f"label_smoothing is {value} but must be"):
        made("cnn", label_smoothing=value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: InceptionTime(SPEC, adam(), members=0), "model.members is 0"),
        (lambda: InceptionTime(SPEC, adam(), depth=0), "model.depth is 0"),
        (lambda: CNNClassifier(SPEC, adam(), depth=0), "model.depth is 0"),
        (lambda: RNNClassifier(SPEC, adam(), patch=33), "patch is 33"),
    ],
)
def test_sizes_without_sense_are_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@every_model
def test_it_learns_a_handful_of_series_by_heart(name: str) -> None:
    model, data = made(name), batch()
    trained(model, [data], 60)
    model.eval()
    assert model.classify(data.x).argmax(1).tolist() == data.y.tolist()


@every_model
@pytest.mark.parametrize("part", ["val", "test"])
def test_losses_are_over_all_series_of_a_part(name: str, part: str) -> None:
    model = made(name)
    trainer = trained(model, [batch()], 1)
    model.eval()
    batches = [batch(7, seed=1), batch(4, seed=2)]
    judge = trainer.validate if part == "val" else trainer.test
    with quiet():
        (found,) = judge(model, loader(batches), verbose=False)
    logits, y = torch.cat([model.classify(b.x) for b in batches]), torch.cat([b.y for b in batches])
    assert found[f"{part}/loss"] == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-4)
    assert found[f"{part}/accuracy"] == pytest.approx((logits.argmax(1) == y).float().mean().item())


@every_model
def test_state_comes_back_without_the_class_weights(name: str) -> None:
    model = made(name, class_weights="balanced")
    state = model.state_dict()
    assert all(key.startswith("network.") for key in state)
    torch.manual_seed(99)
    other = MAKERS[name]()
    other.load_state_dict(state)
    x = noise(4, 2, 32)
    assert torch.equal(other.eval().classify(x), model.eval().classify(x))


def test_an_ensemble_averages_probabilities() -> None:
    model, x = made("inception_time").eval(), noise(5, 2, 32)
    probability = torch.stack([member(x).softmax(1) for member in members(model)]).mean(0)
    torch.testing.assert_close(model.classify(x).exp(), probability)


def members(model: ClassificationModel) -> list[nn.Module]:
    assert isinstance(model.network, nn.ModuleList)
    return list(model.network)


def test_members_begin_differently_and_learn_as_if_alone() -> None:
    model, data = made("inception_time"), batch()
    first, second = members(model)
    assert not torch.equal(first.head.weight, second.head.weight)  # type: ignore[union-attr, arg-type]
    alone = copy.deepcopy(members(model))
    trained(model, [data], 3)
    for member in alone:
        optimizer = adam()(member.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(member(data.x), data.y).backward()
            optimizer.step()
    for member, expected in zip(members(model), alone, strict=True):
        for (key, value), reference in zip(member.state_dict().items(), expected.state_dict().values(), strict=True):
            torch.testing.assert_close(value, reference, msg=key, rtol=1e-4, atol=1e-5)
