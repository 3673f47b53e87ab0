"""Scorers that wrap or extend scikit-learn against scikit-learn itself, and combinations against their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest as Forest
from sklearn.metrics import f1_score
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC
from sklearn.svm import OneClassSVM as Machine
from torch import Tensor, nn

from ecgan.detect import weighting
from ecgan.detect.classical import IsolationForest, OneClassSVM
from ecgan.detect.classifier import Classifier
from ecgan.detect.combined import Combined
from ecgan.detect.critic import Critic, FeatureMatching
from ecgan.detect.latent import LatentDensity, LatentNorm
from ecgan.detect.scorers import KNearest, PCAResidual
from ecgan.detect.weighting import GRID_STEPS, best_f1
from ecgan.detect.whitened import WhitenedNeighbors
from ecgan.errors import ConfigError, DataError, RunError
from ecgan.testing.scorers import InMemory

CPU = torch.device("cpu")
SILENT = nn.Identity()


def series(n: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(n, 2, 8, generator=torch.Generator().manual_seed(seed))


def part(x: Tensor) -> InMemory:
    return InMemory(x, torch.zeros(len(x), dtype=torch.int64))


TRAIN, NEW = part(series(80, 0)), torch.cat([series(9, 1), series(9, 2, 3.0)])


class Able(nn.Module):
    """Everything that a scorer may ask for, each a plain function of the series."""

    def reconstruct(self, x: Tensor) -> Tensor:
        return x * 0.5

    def encode(self, x: Tensor) -> Tensor:
        return x[:, 0, :3] + 2 * x[:, 1, :3]

    def discriminate(self, x: Tensor) -> Tensor:
        return x.mean((1, 2)) * 10

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, ::2] ** 2

    def classify(self, x: Tensor) -> Tensor:
        return x[:, 0, :3] * 30


def test_isolation_forest_is_that_of_scikit_learn() -> None:
    torch.manual_seed(0)
    scorer = IsolationForest(trees=20)
    scorer.fit(SILENT, TRAIN, CPU)
    forest = Forest(n_estimators=20, random_state=scorer.seed).fit(TRAIN.x.flatten(1).numpy())
    np.testing.assert_allclose(scorer.score(SILENT, NEW), -forest.score_samples(NEW.flatten(1).numpy()))


def test_a_forest_that_grows_otherwise_is_refused() -> None:
    scorer = IsolationForest(trees=20)
    scorer.fit(SILENT, TRAIN, CPU)
    state = scorer.state()
    with pytest.raises(RunError, match="grows otherwise"):
        IsolationForest(trees=20).load_state(state | {"seed": state["seed"] + 1}, SILENT, CPU)
    with pytest.raises(RunError, match="grows otherwise"):
        IsolationForest(trees=21).load_state(state, SILENT, CPU)


@pytest.mark.parametrize("gamma", ["scale", 0.3])
def test_one_class_svm_is_that_of_scikit_learn(gamma: float | str) -> None:
    scorer = OneClassSVM(nu=0.2, gamma=gamma)  # type: ignore[arg-type]
    scorer.fit(SILENT, TRAIN, CPU)
    machine = Machine(nu=0.2, gamma=gamma).fit(TRAIN.x.flatten(1).double().numpy())
    expected = -machine.decision_function(NEW.flatten(1).double().numpy())
    np.testing.assert_allclose(scorer.score(SILENT, NEW), expected, rtol=1e-6, atol=1e-9)


def test_one_class_svm_takes_training_normals_that_are_all_alike() -> None:
    scorer = OneClassSVM()
    scorer.fit(SILENT, part(torch.ones(10, 1, 4)), CPU)
    scores = scorer.score(SILENT, torch.stack([torch.ones(1, 4), torch.zeros(1, 4)]))
    assert scores[1] > scores[0]


@pytest.mark.parametrize(("strategy", "expected"), [("log", lambda p: -np.log(p)), ("target", lambda p: 1 - p)])
def test_critic_is_what_it_is_called(strategy: str, expected: object) -> None:
    p = 1 / (1 + np.exp(-Able().discriminate(NEW).double().numpy()))
    found = Critic(strategy).score(Able(), NEW)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected(p), rtol=1e-9, atol=1e-12)  # type: ignore[operator]


def test_a_critic_that_is_sure_still_ranks() -> None:
    sure = torch.cat([series(1, 3) * 0 + 12, series(1, 3) * 0 + 13])
    for strategy in ("log", "target"):
        scores = Critic(strategy).score(Able(), sure)  # type: ignore[arg-type]
        assert scores[0] > scores[1]


def test_feature_matching_is_the_mean_squared_difference_of_features() -> None:
    rows = [x.flatten()[::2].double().numpy() for x in NEW]
    expected = [np.mean((row**2 - (row / 2) ** 2) ** 2) for row in rows]
    np.testing.assert_allclose(FeatureMatching().score(Able(), NEW), expected, rtol=1e-4)


def test_classifier_ranks_as_the_probability_of_not_normal() -> None:
    found = Classifier().score(Able(), NEW)
    probability = 1 - torch.softmax(Able().classify(NEW).double(), 1)[:, 0]
    torch.testing.assert_close(torch.sigmoid(found), probability, rtol=1e-8, atol=1e-12)
    assert len(found.unique()) == len(NEW)  # some probabilities round to 1


def test_gaussian_density_is_the_mahalanobis_distance_of_scikit_learn() -> None:
    scorer = LatentDensity()
    scorer.fit(Able(), TRAIN, CPU)
    z = Able().encode(TRAIN.x).double().numpy()
    expected = LedoitWolf().fit(z).mahalanobis(Able().encode(NEW).double().numpy())
    np.testing.assert_allclose(scorer.score(Able(), NEW), expected, rtol=1e-4)


def test_density_by_neighbors_is_in_units_of_each_latent_value() -> None:
    scorer = LatentDensity("knn", k=3)
    scorer.fit(Able(), TRAIN, CPU)
    z, new = (Able().encode(x).double().numpy() for x in (TRAIN.x, NEW))
    distance = np.sqrt((((new[:, None] - z[None]) / z.std(0)) ** 2).sum(2))
    np.testing.assert_allclose(scorer.score(Able(), NEW), np.sort(distance, 1)[:, :3].mean(1), rtol=1e-4)


def test_a_latent_value_that_never_changes_says_nothing() -> None:
    class Constant(Able):
        def encode(self, x: Tensor) -> Tensor:
            return torch.cat([super().encode(x), torch.ones(len(x), 1)], 1)

    for density in ("gaussian", "knn"):
        found = []
        for model in (Able(), Constant()):
            scorer = LatentDensity(density)  # type: ignore[arg-type]
            scorer.fit(model, TRAIN, CPU)
            found.append(scorer.score(model, NEW))
        assert torch.isfinite(found[1]).all()
        assert np.corrcoef(found[0], found[1])[0, 1] > 0.99


def test_latent_norm_is_the_distance_from_the_usual_length() -> None:
    scorer = LatentNorm()
    scorer.fit(Able(), TRAIN, CPU)
    lengths = np.linalg.norm(Able().encode(TRAIN.x).double().numpy(), axis=1)
    expected = np.abs(np.linalg.norm(Able().encode(NEW).double().numpy(), axis=1) - np.median(lengths))
    np.testing.assert_allclose(scorer.score(Able(), NEW), expected, rtol=1e-5, atol=1e-6)


VAL = InMemory(torch.cat([series(40, 4), series(20, 5, 2.0)]), (torch.arange(60) >= 40).long())
ABNORMAL = (VAL.y != 0).numpy()


def combined(weights: str, val: InMemory = VAL, abnormal: np.ndarray = ABNORMAL) -> Combined:  # type: ignore[type-arg]
    scorer = Combined({"knn": KNearest(3), "pca": PCAResidual(4)}, weights)  # type: ignore[arg-type]
    scorer.fit(SILENT, TRAIN, CPU)
    scorer.calibrate(SILENT, val, abnormal, CPU)
    return scorer


def parts(x: Tensor) -> np.ndarray:  # type: ignore[type-arg]
    columns = []
    for part_scorer in (KNearest(3), PCAResidual(4)):
        part_scorer.fit(SILENT, TRAIN, CPU)
        columns.append(part_scorer.score(SILENT, x).double().numpy())
    return np.stack(columns, 1)


def z(x: Tensor) -> np.ndarray:  # type: ignore[type-arg]
    normal = parts(VAL.x)[~ABNORMAL]
    found: np.ndarray = (parts(x) - normal.mean(0)) / normal.std(0, ddof=1)  # type: ignore[type-arg]
    return found


def test_standardized_parts_are_added() -> None:
    np.testing.assert_allclose(combined("standardized").score(SILENT, NEW), z(NEW).sum(1), rtol=1e-6)


def test_standardized_parts_do_not_depend_on_abnormal_series() -> None:
    normals = InMemory(VAL.x[:40], VAL.y[:40])
    alone = combined("standardized", normals, np.zeros(40, bool)).score(SILENT, NEW)
    assert torch.equal(alone, combined("standardized").score(SILENT, NEW))


def test_grid_finds_the_weights_with_the_best_f1() -> None:
    scorer = combined("grid")
    standardized = z(VAL.x)

    def best(weights: np.ndarray) -> float:  # type: ignore[type-arg]
        scores = standardized @ weights
        return max(f1_score(ABNORMAL, scores >= cut) for cut in scores)

    every = [best(np.array([share, 1 - share])) for share in np.linspace(0, 1, GRID_STEPS)]
    assert best(scorer.weighting.weights) == pytest.approx(max(every))
    assert best_f1(standardized @ scorer.weighting.weights, ABNORMAL) == pytest.approx(max(every))
    assert scorer.weighting.weights.sum() == pytest.approx(1)


def test_machine_is_that_of_scikit_learn() -> None:
    scorer = combined("svm")
    learned = np.arcsinh(z(VAL.x))
    gamma = 1 / (learned.shape[1] * learned.var())
    order = np.random.default_rng(0).permutation(len(learned))
    machine = SVC(C=1.0, gamma=gamma).fit(learned[order], ABNORMAL[order])
    inside = np.clip(np.arcsinh(z(NEW)), learned.min(0), learned.max(0))
    np.testing.assert_allclose(scorer.score(SILENT, NEW), machine.decision_function(inside), rtol=1e-5, atol=1e-7)


def test_a_series_far_from_everything_is_not_called_normal_by_the_machine() -> None:
    far = series(3, 6, 1e4)
    assert (combined("svm").score(SILENT, far) > 0).all()


@pytest.mark.parametrize("weights", ["grid", "svm"])
def test_labelled_weights_need_both_classes(weights: str) -> None:
    with pytest.raises(DataError, match=f"combined.weights={weights} needs normal and abnormal"):
        combined(weights, InMemory(VAL.x[:40], VAL.y[:40]), np.zeros(40, bool))


def test_parts_are_calibrated_and_their_supervision_counts() -> None:
    inner = Combined({"knn": KNearest(3), "pca": PCAResidual(4)})
    outer = Combined({"inner": inner, "knn": KNearest(3)})
    outer.fit(SILENT, TRAIN, CPU)
    outer.calibrate(SILENT, VAL, ABNORMAL, CPU)
    np.testing.assert_allclose(inner.score(SILENT, NEW), z(NEW).sum(1), rtol=1e-6)
    labelled = Combined({"knn": KNearest(3), "pca": PCAResidual(4)}, "svm")
    assert Combined({"inner": labelled, "knn": KNearest(3)}).supervision == "val_labelled"
    assert Combined({"classifier": Classifier(), "knn": KNearest(3)}).supervision == "train_labelled"


def test_the_machine_keeps_rare_series_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighting, "MAX_TRAINED", 10)
    kept = weighting._some_of_both(np.arange(1000) < 3)
    assert sorted(set(kept)) == sorted(kept.tolist())
    assert (kept < 3).sum() == 3
    assert len(kept) == 10
    assert len(weighting._some_of_both(np.arange(1000) < 500)) == 10
    assert (weighting._some_of_both(np.arange(1000) < 500) < 500).sum() == 5


def test_a_part_that_is_the_same_for_all_normals_does_not_drown_the_others() -> None:
    made = weighting.Standardized(2)
    noise = np.random.default_rng(0).normal(size=100)
    made.fit(np.stack([np.full(100, 0.1) + 1e-17, noise], 1), np.zeros(100, bool))
    assert abs(float(made(np.array([[0.1 + 1e-9, 0.0]]))[0])) < 1


def test_supervision_is_that_of_the_weights() -> None:
    found = {weights: combined(weights).supervision for weights in ("standardized", "grid", "svm")}
    assert found == {"standardized": "normal_only", "grid": "val_labelled", "svm": "val_labelled"}


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"combined\.parts is empty"):
        Combined({})
    with pytest.raises(ConfigError, match="two or three parts, not 1"):
        Combined({"knn": KNearest()}, "grid")
    with pytest.raises(ConfigError, match=r"combined\.parts\.a is no scorer"):
        Combined({"a": nn.Identity()})  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match="nu is 0"):
        OneClassSVM(nu=0.0)
    with pytest.raises(ConfigError, match="trees is 0"):
        IsolationForest(trees=0)


def test_whitened_neighbors_do_not_depend_on_units() -> None:
    """Distances are those of scikit-learn among components of variance one, whatever the scale of the series."""
    x, new = TRAIN.x.flatten(1).double().numpy(), NEW.flatten(1).double().numpy()
    white = PCA(4, whiten=True, svd_solver="full").fit(x)
    expected, _ = NearestNeighbors(n_neighbors=3).fit(white.transform(x)).kneighbors(white.transform(new))
    for scale in (1.0, 250.0):
        scorer = WhitenedNeighbors(components=4, k=3)
        scorer.fit(SILENT, part(scale * TRAIN.x), CPU)
        np.testing.assert_allclose(scorer.score(SILENT, scale * NEW).numpy(), expected.mean(1), rtol=1e-4)


def test_whitened_neighbors_refuse_more_components_than_there_are() -> None:
    with pytest.raises(ConfigError, match="asks for 16 components, but 80 training normals have 1;"):
        WhitenedNeighbors().fit(
            SILENT, part(series(80, 0)[:, :, :1].expand(-1, -1, 8) * torch.tensor([[1.0], [0.0]])), CPU
        )
    with pytest.raises(ConfigError, match="must be 1 or more"):
        WhitenedNeighbors(components=0)
