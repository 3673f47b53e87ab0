"""A classifier as a detector."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from ecgan.capabilities import Classifies
from ecgan.detect.stateless import Stateless
from ecgan.types import Supervision


class Classifier(Stateless):
    """Probability that a series is of any class but the normal one.

    The classifier was trained on labelled abnormal series, which no other score of the suite has seen: it detects the
    kinds that it knows. Which class a series belongs to stands in ``classification/predictions.csv``.
    """

    requires: ClassVar[tuple[type, ...]] = (Classifies,)
    supervision: ClassVar[Supervision] = "train_labelled"

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,): log odds of not normal, which rank as the probability does but never round to 1."""
        assert isinstance(model, Classifies)  # noqa: S101 - checked when the config was composed
        logits = model.classify(x).cpu().double()
        return logits[:, 1:].logsumexp(1) - logits[:, 0]
