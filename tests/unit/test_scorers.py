"""Scorers against naive loops, and their states through a file and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.decomposition import PCA
from torch import Tensor, nn

from ecgan.config import compose
from ecgan.detect import scorers
from ecgan.detect.detector import uses_model
from ecgan.detect.lstm_autoencoder import LSTMAutoencoderScorer
from ecgan.detect.scorers import KNearest, PCAResidual, Reconstruction
from ecgan.errors import ConfigError, RunError
from ecgan.types import Batch, Scorer

CPU = torch.device("cpu")
MODEL = nn.Identity()  # scorers that bring their own model ignore the fitted one


class Rows:
    """Series in memory, as a scorer sees the training normals."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitems__(self, positions: list[int]) -> Batch:
        return Batch(self.x[positions], torch.zeros(len(positions), dtype=torch.int64), torch.tensor(positions))


def noise(n: int, channels: int = 2, length: int = 16, seed: int = 0) -> Tensor:
    """Series with a few directions of large variance, so that PCA has something to find."""
    generator = torch.Generator().manual_seed(seed)
    factors = torch.randn(n, 3, generator=generator) @ torch.randn(
        3, channels * length, generator=torch.Generator().manual_seed(99)
    )
    return (factors + 0.3 * torch.randn(n, channels * length, generator=generator)).view(n, channels, length) + 5


TRAIN, NEW = Rows(noise(60)), noise(13, seed=1)

MAKERS: dict[str, Callable[[], Scorer]] = {
    "knn": lambda: KNearest(3),
    "knn_drawn": lambda: KNearest(3, max_train=20),
    "pca_count": lambda: PCAResidual(4),
    "pca_drawn": lambda: PCAResidual(4, max_train=30),
    "pca_share": lambda: PCAResidual(0.8),
    "lstm_autoencoder": lambda: LSTMAutoencoderScorer(latent=4, patch=4, epochs=2, batch_size=16),
    "lstm_scaled": lambda: LSTMAutoencoderScorer(latent=4, patch=4, epochs=2, batch_size=16, scaled=True),
}


def fitted(name: str, seed: int = 0) -> Scorer:
    """A scorer of that name, fitted with that seed."""
    scorer = MAKERS[name]()
    torch.manual_seed(seed)
    scorer.fit(MODEL, TRAIN, CPU)
    return scorer


@torch.no_grad()
def score(scorer: Scorer, x: Tensor = NEW) -> Tensor:
    return scorer.score(MODEL, x)


@pytest.mark.parametrize("k", [1, 4, 60])
def test_knn_is_the_mean_distance_to_the_k_nearest(k: int) -> None:
    scorer = KNearest(k)
    scorer.fit(MODEL, TRAIN, CPU)
    train, new = TRAIN.x.flatten(1).double().numpy(), NEW.flatten(1).double().numpy()
    expected = [np.sort([np.sqrt(((a - b) ** 2).sum()) for b in train])[:k].mean() for a in new]
    np.testing.assert_allclose(score(scorer), expected, rtol=1e-5)


def test_knn_draws_at_most_max_train_series_by_seed() -> None:
    kept = fitted("knn_drawn").state()["train"]
    everyone = TRAIN.x.flatten(1)
    positions = [int((everyone == row).all(1).nonzero().item()) for row in kept]
    assert len(positions) == 20
    assert positions == sorted(set(positions))
    assert torch.equal(kept, fitted("knn_drawn").state()["train"])
    assert not torch.equal(kept, fitted("knn_drawn", seed=1).state()["train"])


def test_knn_keeps_everyone_where_there_is_room() -> None:
    assert torch.equal(fitted("knn").state()["train"], TRAIN.x.flatten(1))


def test_flattening_in_chunks_keeps_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorers, "CHUNK", 7)
    assert torch.equal(scorers.flattened(TRAIN, 1000), TRAIN.x.flatten(1))


@pytest.mark.parametrize(("k", "max_train"), [(0, 10), (-1, 10), (5, 4)])
def test_knn_refuses_impossible_settings(k: int, max_train: int) -> None:
    with pytest.raises(ConfigError, match="1 <= k <= max_train"):
        KNearest(k, max_train)


def test_knn_refuses_more_neighbors_than_normals() -> None:
    with pytest.raises(ConfigError, match="61 neighbors are asked for of 60 training normals"):
        KNearest(61).fit(MODEL, TRAIN, CPU)


@pytest.mark.parametrize("components", [1, 5, 0.5, 0.95])
def test_pca_is_the_squared_residual_of_scikit_learn(components: float) -> None:
    scorer = PCAResidual(components)
    scorer.fit(MODEL, TRAIN, CPU)
    train, new = TRAIN.x.flatten(1).double().numpy(), NEW.flatten(1).double().numpy()
    reference = PCA(components, svd_solver="full").fit(train)
    residual = new - reference.inverse_transform(reference.transform(new))
    np.testing.assert_allclose(score(scorer), (residual**2).mean(1), rtol=1e-8)


@pytest.mark.parametrize("components", [32, 60, 1000])
def test_pca_refuses_more_components_than_there_are(components: int) -> None:
    with pytest.raises(ConfigError, match=rf"{components} components of 60 normals with 32 values"):
        PCAResidual(components).fit(MODEL, TRAIN, CPU)


@pytest.mark.parametrize("components", [0, -0.5])
def test_pca_refuses_no_components(components: float) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        PCAResidual(components)


class Halves(nn.Module):
    """Reconstructs half of everything."""

    def reconstruct(self, x: Tensor) -> Tensor:
        return x / 2


@pytest.mark.parametrize(("error", "power"), [("l1", 1), ("l2", 2)])
def test_reconstruction_is_the_mean_error_of_the_model(error: str, power: int) -> None:
    scorer = Reconstruction(error)  # type: ignore[arg-type]
    found = scorer.score(Halves(), NEW)
    expected = [np.mean([abs(v / 2) ** power for v in series.flatten().tolist()]) for series in NEW]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert scorer.state() == {}


def test_scaled_reconstruction_counts_in_usual_errors(tmp_path: Path) -> None:
    plain, scaled = Reconstruction("l2"), Reconstruction("l2", scaled=True)
    scaled.fit(Halves(), TRAIN, CPU)
    usual = (TRAIN.x / 2).square().double().mean(0)
    expected = ((NEW / 2).square() / usual).flatten(1).mean(1)
    np.testing.assert_allclose(scaled.score(Halves(), NEW), expected, rtol=1e-4)
    # the training normals themselves have the usual error
    assert float(scaled.score(Halves(), TRAIN.x).mean()) == pytest.approx(1, rel=1e-4)
    save_file(scaled.state(), tmp_path / "state.safetensors")
    plain.load_state(load_file(tmp_path / "state.safetensors"), Halves(), CPU)
    assert torch.equal(plain.score(Halves(), NEW), scaled.score(Halves(), NEW))


def test_a_sample_that_is_always_right_does_not_outweigh_the_others() -> None:
    x = torch.cat([torch.zeros(50, 1, 1), torch.ones(50, 1, 15)], 2)
    scorer = Reconstruction(scaled=True)
    scorer.fit(Halves(), Rows(x), CPU)
    tiny = torch.ones(1, 1, 16)
    tiny[0, 0, 0] = 1e-6
    assert 0.9 < float(scorer.score(Halves(), tiny)) < 1.1


@pytest.mark.parametrize("name", MAKERS)
def test_state_comes_back_from_a_file_to_the_same_bits(name: str, tmp_path: Path) -> None:
    scorer = fitted(name)
    state = {key: value.contiguous() for key, value in scorer.state().items()}
    save_file(state, tmp_path / "state.safetensors")
    other = MAKERS[name]()
    other.load_state(load_file(tmp_path / "state.safetensors"), MODEL, CPU)
    assert torch.equal(score(other), score(scorer))


@pytest.mark.parametrize("name", MAKERS)
def test_state_is_laid_out_as_a_file_stores_it(name: str) -> None:
    # a matrix in another layout multiplies with another rounding after it was loaded
    assert all(value.is_contiguous() for value in fitted(name).state().values())


@pytest.mark.parametrize("name", MAKERS)
def test_one_finite_score_per_series_whatever_the_batch(name: str) -> None:
    scorer = fitted(name)
    together = score(scorer)
    alone = torch.cat([score(scorer, NEW[i : i + 1]) for i in range(len(NEW))])
    assert together.shape == (len(NEW),)
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MAKERS)
def test_fitting_twice_with_one_seed_gives_the_same_scores(name: str) -> None:
    assert torch.equal(score(fitted(name)), score(fitted(name)))


@pytest.mark.parametrize("name", MAKERS)
def test_neither_fit_nor_score_changes_the_series(name: str) -> None:
    train, new = TRAIN.x.clone(), NEW.clone()
    score(fitted(name))
    assert torch.equal(TRAIN.x, train)
    assert torch.equal(NEW, new)


@pytest.mark.parametrize("name", MAKERS)
def test_a_larger_score_is_more_abnormal(name: str) -> None:
    scorer = fitted(name)
    assert score(scorer, NEW + 40 * noise(13, seed=7).sign().flip(2)).min() > score(scorer, NEW).max()


def test_lstm_autoencoder_depends_on_the_seed() -> None:
    assert not torch.equal(score(fitted("lstm_autoencoder")), score(fitted("lstm_autoencoder", seed=1)))


def test_lstm_autoencoder_learns() -> None:
    wave = torch.sin(torch.linspace(0, 12, 32) + torch.linspace(0, 1, 24)[:, None])[:, None]
    errors = []
    for epochs in (1, 200):
        scorer = LSTMAutoencoderScorer(latent=8, patch=4, epochs=epochs, batch_size=8, lr=1e-2)
        torch.manual_seed(0)
        scorer.fit(MODEL, Rows(wave), CPU)
        errors.append(float(score(scorer, wave).mean()))
    assert errors[1] < errors[0] / 4


def test_lstm_autoencoder_leaves_the_fitted_model_alone() -> None:
    model = nn.Linear(3, 3)
    before = [value.clone() for value in model.parameters()]
    MAKERS["lstm_autoencoder"]().fit(model, TRAIN, CPU)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(value.grad is None for value in model.parameters())


class Waves(nn.Module):
    """Generates one wave, and counts how often."""

    conditional = False
    asked = 0

    def draw(self, n: int, generator: torch.Generator, y: Tensor | None = None) -> Tensor:
        return torch.zeros(n, 1)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return torch.sin(torch.arange(16.0)).expand(len(z), 2, 16)

    def sample(self, n: int, generator: torch.Generator, y: Tensor | None = None) -> Tensor:
        self.asked += n
        return self.decode(self.draw(n, generator))


def test_lstm_autoencoder_learns_from_generated_normals_too() -> None:
    errors, model = [], Waves()
    for generated in (0.0, 1.5):
        scorer = LSTMAutoencoderScorer(latent=4, patch=4, epochs=5, batch_size=20, lr=1e-2, generated=generated)
        assert uses_model(scorer) is bool(generated)  # and so what the model has seen counts
        torch.manual_seed(0)
        scorer.fit(model, TRAIN, CPU)
        errors.append(float(score(scorer, model.decode(torch.zeros(1, 1)))))
    assert model.asked == 5 * 90
    assert errors[1] < errors[0]


def test_lstm_autoencoder_needs_a_model_that_generates_only_where_it_is_asked() -> None:
    given = ["model=cnn", "detector=[lstm_autoencoder]"]
    compose(given)
    with pytest.raises(ConfigError, match="needs a model that samples"):
        compose([*given, "detector.lstm_autoencoder.scorer.generated=1"])
    with pytest.raises(ConfigError, match="must be at least 0"):
        LSTMAutoencoderScorer(generated=-1)


def test_lstm_autoencoder_that_diverges_is_refused() -> None:
    with pytest.raises(RunError, match=r"loss is .* in epoch \d+; lower scorer.lr"):
        LSTMAutoencoderScorer(latent=4, patch=4, epochs=3, lr=1e30, error="l2").fit(MODEL, TRAIN, CPU)


def test_lstm_autoencoder_must_be_fitted_first() -> None:
    scorer = MAKERS["lstm_autoencoder"]()
    assert scorer.state() == {}
    with pytest.raises(RuntimeError, match="before it was fitted"):
        score(scorer)
