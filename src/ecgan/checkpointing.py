"""Checkpoints that are never torn."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from ecgan.files import replacing


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints under another name first, so that there is a whole one at any moment."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write and rename."""
        written = BytesIO()  # the archive would hold the name of a file, which is a temporary one here
        torch.save(checkpoint, written)
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(written.getbuffer())
