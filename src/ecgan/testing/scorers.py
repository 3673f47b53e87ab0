"""The battery that every scorer of the suite passes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ecgan.types import Batch, Calibrates, Scorer, Series

MakeScorer = Callable[[], Scorer]
CLOSE = 1e-4
"""Share by which a score may differ with the series beside it: sums are taken in another order."""


class InMemory:
    """Series x (N, C, T) of classes y (N,), as a scorer sees a part of a fold."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y
        self.handed_out: list[tuple[Tensor, Tensor]] = []
        """What was handed out, and what it held then."""

    def __len__(self) -> int:
        return len(self.x)

    def __getitems__(self, positions: list[int]) -> Batch:
        """The series at these positions."""
        index = torch.as_tensor(positions)
        x = self.x[index]
        self.handed_out.append((x, x.clone()))
        return Batch(x, self.y[index], index)


def check_scorer(make: MakeScorer, model: nn.Module, normals: Tensor, abnormal: Tensor) -> None:
    """Run all checks on a scorer.

    Args:
        make: builds it, not fitted, such as ``lambda: build(compose(["detector=knn"]).detector.knn.scorer)``.
        model: that it serves, in eval mode.
        normals: normal series (N, C, T), ten or more: half of them to fit, a quarter to calibrate, the rest is scored.
        abnormal: abnormal series (M, C, T), half of them to calibrate, the rest is scored.

    Raises:
        AssertionError: saying what the scorer gets wrong.
    """
    half, most = len(normals) // 2, len(normals) * 3 // 4
    some = len(abnormal) // 2
    train = InMemory(normals[:half], torch.zeros(half, dtype=torch.int64))
    val_x = torch.cat([normals[half:most], abnormal[:some]])
    val = InMemory(val_x, (torch.arange(len(val_x)) >= most - half).long())
    new = torch.cat([normals[most:], abnormal[some:]])
    before, intact = _numbers(model), new.clone()
    scorer = _fitted(make, model, train, val)
    scores = _scores(scorer, model, new)
    name = type(scorer).__name__
    assert tuple(scores.shape) == (len(new),), f"{name} gives scores of shape {tuple(scores.shape)}, not {(len(new),)}"
    assert torch.isfinite(scores).all(), f"{name} gives scores that are not finite"
    alone = torch.cat([_scores(scorer, model, new[i : i + 1]) for i in range(len(new))])
    slack = CLOSE * float(scores.abs().median())
    assert torch.allclose(scores, alone, rtol=CLOSE, atol=slack), f"{name} scores a series by those beside it"
    again = _scores(_fitted(make, model, train, val), model, new)
    assert torch.equal(scores, again), f"{name} gives other scores when it is fitted again with the same seed"
    check_state(scorer, make(), model, new)
    assert torch.equal(new, intact), f"{name} changes the series that it scores"
    for handed_out, held in (*train.handed_out, *val.handed_out):
        assert torch.equal(handed_out, held), f"{name} changes the series that it is fitted on"
    for key, value in _numbers(model).items():
        assert torch.equal(value, before[key]), f"{name} changes {key} of the model that it serves"


def check_state(scorer: Scorer, fresh: Scorer, model: nn.Module, new: Tensor) -> None:
    """The state of a fitted scorer, written to a file and given to another one, gives the same scores to the bit."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.safetensors"
        save_file({key: value.contiguous() for key, value in scorer.state().items()}, file)
        fresh.load_state({key: value.clone() for key, value in load_file(file).items()}, model, new.device)
    same = torch.equal(_scores(fresh, model, new), _scores(scorer, model, new))
    assert same, f"{type(scorer).__name__} gives other scores after its state was stored and loaded"


def _fitted(make: MakeScorer, model: nn.Module, train: Series, val: InMemory) -> Scorer:
    scorer = make()
    torch.manual_seed(0)
    with torch.enable_grad():
        scorer.fit(model, train, val.x.device)
        if isinstance(scorer, Calibrates):
            seen = val.y == 0 if scorer.supervision == "normal_only" else torch.ones_like(val.y, dtype=torch.bool)
            part = InMemory(val.x[seen], val.y[seen])
            scorer.calibrate(model, part, (part.y != 0).numpy(), val.x.device)
    return scorer


@torch.no_grad()
def _scores(scorer: Scorer, model: nn.Module, x: Tensor) -> Tensor:
    return scorer.score(model, x).detach().cpu().double()


def _numbers(model: nn.Module) -> dict[str, Tensor]:
    """Weights, buffers, gradients and switches of a model."""
    numbers = {name: value.clone() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        numbers[f"whether {name} takes a gradient"] = torch.tensor(parameter.requires_grad)
        numbers[f"the gradient of {name}"] = torch.zeros(()) if parameter.grad is None else parameter.grad.clone()
    for name, module in model.named_modules():
        numbers[f"the training mode of {name}"] = torch.tensor(module.training)
    return numbers
