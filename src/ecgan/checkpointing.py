"""Checkpoints that are never torn, and the best one, which is known again wherever its run lies."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from ecgan.files import replacing


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints under another name first, so that there is a whole one at any moment."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write and rename."""
        written = BytesIO()  # the archive would hold the name of a file, which is a temporary one here
        torch.save(checkpoint, written)
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(written.getbuffer())


class BestCheckpoint(ModelCheckpoint):
    """The weights of the epoch with the smallest monitored value, or of the newest one.

    Its state is that value and no path, so that a training can go on where its directory was moved to.

    Args:
        path: of the file.
        monitor: the value.
        newest: keep the weights of each epoch in the place of the one before, whatever the value.
    """

    def __init__(self, path: Path, monitor: str, newest: bool = False) -> None:
        super().__init__(path.parent, path.stem, monitor, save_weights_only=True, enable_version_counter=False)
        self.newest = newest

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        """Tell whether the weights of this epoch are kept."""
        return self.newest or super().check_monitor_top_k(trainer, current)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far."""
        return {"score": self.best_model_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        score: Tensor | None = state_dict["score"]
        if score is None:
            return
        path = self.format_checkpoint_name({})
        self.best_model_score = self.current_score = self.kth_value = score
        self.best_model_path = self.kth_best_model_path = path
        self.best_k_models = {path: score}
