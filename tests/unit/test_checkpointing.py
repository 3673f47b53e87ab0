"""Checkpoints are whole files, and the best one is known again wherever its run lies."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from ecgan.checkpointing import BestCheckpoint, WholeCheckpoints
from ecgan.engine import quiet
from ecgan.errors import RunError
from ecgan.track.going_on import epochs_of


def test_the_same_content_gives_the_same_bytes_under_any_name(tmp_path: Path) -> None:
    content = {"epoch": 3, "state_dict": {"w": torch.ones(2)}}
    for name in ("a.ckpt", "folder/b.ckpt"):
        WholeCheckpoints().save_checkpoint(content, str(tmp_path / name))
    assert (tmp_path / "a.ckpt").read_bytes() == (tmp_path / "folder" / "b.ckpt").read_bytes()
    assert epochs_of(tmp_path / "a.ckpt") == 4


def test_a_failed_write_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"epoch": 3}, file)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match="The disk is full while writing"):
        WholeCheckpoints().save_checkpoint({"epoch": 4}, file)
    assert epochs_of(file) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_the_best_value_is_known_again_wherever_the_run_lies(tmp_path: Path) -> None:
    before, after = (BestCheckpoint(tmp_path / name / "best.ckpt", "val/loss") for name in ("here", "there"))
    after.load_state_dict(before.state_dict())
    assert (after.best_model_score, after.best_k_models, after.best_model_path) == (None, {}, "")
    before.best_model_score = torch.tensor(0.25)
    after.load_state_dict(before.state_dict())
    assert after.best_model_path == str(tmp_path / "there" / "best.ckpt")
    assert after.best_k_models == {after.best_model_path: torch.tensor(0.25)}
    assert (after.best_model_score, after.kth_best_model_path) == (0.25, after.best_model_path)


class Falling(pl.LightningModule):
    """Its one weight counts epochs, and its validation loss is given."""

    def __init__(self, losses: list[float]) -> None:
        super().__init__()
        self.losses, self.epochs = losses, torch.nn.Parameter(torch.zeros(()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        return -self.epochs

    def validation_step(self, batch: torch.Tensor) -> None:
        self.log("val/loss", self.losses[self.current_epoch], batch_size=1)


@pytest.mark.parametrize(
    ("newest", "losses", "kept", "score"),
    [
        (False, [3.0, 1.0, 2.0], 2, 1.0),
        (True, [3.0, 1.0, 2.0], 3, 2.0),
        (True, [3.0, 1.0, math.nan], 3, math.inf),
    ],
)
def test_which_epoch_is_kept(newest: bool, losses: list[float], kept: int, score: float, tmp_path: Path) -> None:
    best = BestCheckpoint(tmp_path / "best.ckpt", "val/loss", newest)
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        callbacks=[best],
        plugins=WholeCheckpoints(),
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    series = torch.utils.data.DataLoader(torch.zeros(1))
    with quiet():
        trainer.fit(Falling(losses), series, series)
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["state_dict"]["epochs"] == kept
    assert best.best_model_score == score
    assert [path.name for path in tmp_path.iterdir()] == ["best.ckpt"]


@pytest.mark.parametrize("content", [b"", b"abc", b"PK\x03\x04 and nothing more"])
def test_a_damaged_file_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    assert epochs_of(file) is None
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"last\.ckpt is damaged \(\w+\); delete it to train the fold anew\."):
        epochs_of(file)
    torch.save({"weights": 1}, file)
    with pytest.raises(RunError, match=r"damaged \(KeyError\)"):
        epochs_of(file)
