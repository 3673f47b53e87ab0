"""Every model config trains a batch in bf16: weights stay float32, and everything that comes out is finite."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from ecgan.capabilities import Classifies, Discriminates, Reconstructs, Samples
from ecgan.checks import models_with
from ecgan.config import build, compose
from ecgan.engine import quiet
from ecgan.models.base import Model
from ecgan.testing import models as testing
from ecgan.types import Batch, DataSpec
from ecgan.usage import options

SPEC = DataSpec(32, 2, testing.CLASSES, class_counts=(4, 3, 1))
CASES = [(name, "") for name in options("model")]
CASES += [(name, loss) for name in models_with(Discriminates) for loss in options("loss")]


def in_half_precision(model: Model, batch: Batch) -> dict[str, float]:
    """Fit one batch and validate it; what was logged."""
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        precision="bf16-mixed",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    loader: Any = DataLoader([batch], batch_size=None)  # type: ignore[arg-type]
    with quiet():
        trainer.fit(model, loader, loader)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


@pytest.mark.parametrize(("name", "loss"), CASES, ids=lambda value: value or "default")
def test_a_model_trains_in_half_precision(name: str, loss: str) -> None:
    overrides = [f"loss@model.adversarial={loss}"] if loss else []
    torch.manual_seed(0)
    model = build(compose([f"model={name}", "detector=none", *overrides]).model, spec=SPEC)
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    batch = testing.series(SPEC)
    logged = in_half_precision(model, batch)
    assert model.monitor in logged
    assert all(torch.isfinite(torch.tensor(value)) for value in logged.values()), logged
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    moved = [key for key, value in model.named_parameters() if not torch.equal(value, before[key])]
    assert moved
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        outputs = [model.sample(3, torch.Generator())] if isinstance(model, Samples) else []
        outputs += [model.reconstruct(batch.x)] if isinstance(model, Reconstructs) else []
        outputs += [model.classify(batch.x)] if isinstance(model, Classifies) else []
        outputs += [model.discriminate(batch.x)] if isinstance(model, Discriminates) else []
    assert outputs
    assert all(torch.isfinite(out).all() for out in outputs)
