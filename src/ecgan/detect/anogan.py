"""AnoGAN: how well a generator can draw a series, found by a search in its latent space."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgan.capabilities import Discriminates, Encodes, Samples
from ecgan.detect.latent_search import Search, search
from ecgan.detect.scorers import flattened
from ecgan.errors import ConfigError
from ecgan.files import replacing
from ecgan.types import Series

Criterion = Literal["l1", "l2", "rbf", "cosine"]
PAIRS = 512
"""Training normals whose distances from each other give the width of the ``rbf`` criterion."""


class AnoGAN:
    """Error that is left after a search for the latent vector whose decoded series comes closest.

    The search starts from those of a pool of drawn latent vectors whose series are closest already, and, where the
    model has an encoder, from the encoding in place of the last of them. The pool is the same for all series, so a
    score depends on its series alone, not on the others in the batch.

    Args:
        criterion: ``l1``, ``l2``, ``rbf`` (1 - Gaussian kernel, as wide as the median distance of training normals) or
            ``cosine`` (1 - cosine of the angle between two series).
        steps: gradient steps of Adam at most.
        lr: its learning rate.
        restarts: first vectors per series.
        pool: latent vectors to take first vectors from.
        tolerance: the search for a series ends once its error is this small.
        patience: a restart ends after so many steps without a gain of one percent.
        feature_weight: share of the critic's hidden features in the error, 0 for none; above it the model must have a
            critic.
        chunk: series that are searched for at a time, which bounds the memory.

    Source: Schlegl et al. (2017), Unsupervised Anomaly Detection with Generative Adversarial Networks,
    arXiv:1703.05921.
    """

    requires: ClassVar[tuple[type, ...]] = (Samples,)

    @staticmethod
    def requires_for(settings: Mapping[str, Any]) -> tuple[type, ...]:
        """What a node with these settings requires of the model."""
        return (Samples, Discriminates) if settings.get("feature_weight") else (Samples,)

    workspace: Path | None = None
    """Where finished chunks are kept, so that a scoring that was interrupted goes on; None for nowhere."""

    def __init__(
        self,
        criterion: Criterion = "l2",
        steps: int = 100,
        lr: float = 0.05,
        restarts: int = 2,
        pool: int = 512,
        tolerance: float = 1e-4,
        patience: int = 20,
        feature_weight: float = 0.0,
        chunk: int = 128,
    ) -> None:
        for name, value in {"steps": steps, "restarts": restarts, "chunk": chunk, "patience": patience}.items():
            if value < 1:
                raise ConfigError(f"anogan.{name} is {value} but must be at least 1.")
        if pool < restarts:
            raise ConfigError(f"anogan.pool is {pool} but must hold at least the {restarts} first vectors of a series.")
        if lr <= 0 or not 0 <= feature_weight <= 1:
            raise ConfigError(f"anogan needs lr above 0 and feature_weight in [0, 1], not {lr} and {feature_weight}.")
        self.criterion: Criterion = criterion
        self.how = Search(steps, lr, tolerance, patience)
        self.restarts, self.pool, self.chunk, self.feature_weight = restarts, pool, chunk, feature_weight
        self.seed, self.width = 0, 1.0

    def fit(self, model: nn.Module, train: Series, device: torch.device) -> None:
        """Choose the pool, and measure distances between training normals."""
        self.seed = int(torch.randint(2**31, ()).item())
        distance = torch.pdist(flattened(train, PAIRS).double()).square()
        apart = distance[distance > 0]  # series that are there twice say nothing about how far others are
        self.width = float(apart.median()) if len(apart) else 1.0

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        assert isinstance(model, Samples)  # noqa: S101 - checked when the config was composed
        with weights_left_alone(model):
            pool = model.draw(self.pool, torch.Generator().manual_seed(self.seed))
            with torch.no_grad():
                drawn = model.decode(pool)
            return torch.cat([self._kept(model, part, pool, drawn) for part in torch.split(x, self.chunk)])

    def state(self) -> dict[str, Tensor]:
        """Seed of the pool, and the width of the criterion."""
        return {"seed": torch.tensor(self.seed), "width": torch.tensor(self.width, dtype=torch.float64)}

    def load_state(self, state: dict[str, Tensor], model: nn.Module, device: torch.device) -> None:
        """Take them back."""
        self.seed, self.width = int(state["seed"].item()), float(state["width"].item())

    def _kept(self, model: Samples, x: Tensor, pool: Tensor, drawn: Tensor) -> Tensor:
        """The errors of a chunk, from the workspace where they are there already."""
        start, features = self._start(model, x, pool, drawn), self._features(model, x)
        if self.workspace is None:
            return self._search(model, x, start, features)
        # what is drawn, encoded and felt stands for the weights, and the series for themselves
        learned = (drawn, start, x) if features is None else (drawn, start, x, features)
        content = (part.cpu().numpy().tobytes() for part in learned)
        settings = repr((self.criterion, self.how, self.restarts, self.feature_weight, self.width))
        file = self.workspace / f"{hashlib.sha256(b''.join([settings.encode(), *content])).hexdigest()[:32]}.npy"
        if not file.is_file():
            errors = self._search(model, x, start, features)
            with replacing(file) as temporary, temporary.open("wb") as out:
                np.save(out, errors.cpu().numpy(), allow_pickle=False)
        return torch.from_numpy(np.load(file, allow_pickle=False)).to(x.device)

    def _search(self, model: Samples, x: Tensor, start: Tensor, features: Tensor | None) -> Tensor:
        _, errors = search(self._error(model, x, features), start, self.how)
        return errors

    def _start(self, model: Samples, x: Tensor, pool: Tensor, drawn: Tensor) -> Tensor:
        """First vectors (restarts, B, latent)."""
        with torch.no_grad():
            distance = torch.cdist(x.flatten(1), drawn.flatten(1))
            start = pool[distance.topk(self.restarts, largest=False).indices.T]
            if isinstance(model, Encodes):
                start[-1] = model.encode(x)
        return start

    def _features(self, model: Samples, x: Tensor) -> Tensor | None:
        """The critic's features of the series, if they count."""
        if not self.feature_weight:
            return None
        assert isinstance(model, Discriminates)  # noqa: S101 - checked when the config was composed
        with torch.no_grad():
            return model.features(x)

    def _error(self, model: Samples, x: Tensor, features: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
        share = self.feature_weight

        def error(z: Tensor, series: Tensor) -> Tensor:
            made = model.decode(z)
            own = self._criterion(made, x[series])
            if features is None:
                return own
            differs: Tensor = (model.features(made) - features[series]).square().mean(1)  # type: ignore[attr-defined]
            return (1 - share) * own + share * differs

        return error

    def _criterion(self, made: Tensor, x: Tensor) -> Tensor:
        difference = (made - x).flatten(1)
        if self.criterion == "l1":
            return difference.abs().mean(1)
        if self.criterion == "l2":
            return difference.square().mean(1)
        if self.criterion == "rbf":
            return -torch.expm1(-difference.square().sum(1) / (2 * self.width))
        cosine: Tensor = F.cosine_similarity(made.flatten(1), x.flatten(1), dim=1)
        return 1 - cosine


@contextmanager
def weights_left_alone(model: nn.Module) -> Iterator[None]:
    """No gradients for the weights inside of the block, which saves time and memory.

    On a GPU, recurrent layers are taken from torch itself: those of cuDNN have no gradient outside of training mode.
    """
    before = [parameter.requires_grad for parameter in model.parameters()]
    recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
    cudnn = torch.backends.cudnn
    kept = {"benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic, "allow_tf32": cudnn.allow_tf32}
    model.requires_grad_(False)
    try:
        with cudnn.flags(enabled=cudnn.enabled and not recurrent, **kept):
            yield
    finally:
        for parameter, required in zip(model.parameters(), before, strict=True):
            parameter.requires_grad_(required)
