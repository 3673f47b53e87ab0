"""TensorBoard: event files in the run directory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import yaml

from ecgan.track.record import Record, Row, Status
from ecgan.track.tracker import refuse_without

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

FOLDER = "tensorboard"


class TensorBoardTracker:
    """Writes event files beside the files of each fold; they are written anew whenever a fold is sent again."""

    unbounded: ClassVar[bool] = False

    def __init__(self) -> None:
        refuse_without("tensorboard", "tensorboard")
        self._writer: SummaryWriter | None = None
        self._last_step = 0

    def open(self, record: Record) -> int:
        """Begin with empty files."""
        from torch.utils.tensorboard.writer import SummaryWriter

        folder = record.directory / FOLDER
        for file in folder.glob("events.out.tfevents.*"):
            file.unlink()
        self._writer = SummaryWriter(str(folder))
        about = {**record.place, "group": record.group, "job_type": record.job_type, "name": record.name}
        for name, content in {"about": about, "config": record.config}.items():
            # Markdown shows what is indented as it is
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            self._writer.add_text(name, "".join(f"    {line}\n" for line in text.splitlines()))
        return 0

    def metrics(self, first: int, rows: Sequence[Row]) -> None:
        """Write scalars at their training steps."""
        writer = self._open()
        for row in rows:
            self._last_step = max(self._last_step, row.step)
            for name, value in row.values.items():
                writer.add_scalar(name, value, row.step)
        writer.flush()

    def outcome(self, record: Record, status: Status) -> None:
        """Write results, at the last step, and figures."""
        import numpy as np
        from PIL import Image

        writer = self._open()
        writer.add_text("status", status)
        for name, value in record.results().items():
            writer.add_scalar(name, value, self._last_step)
        for file in record.figures():
            if file.suffix == ".png":
                with Image.open(file) as image:
                    pixels = np.asarray(image.convert("RGB"))
                writer.add_image(f"figures/{file.stem}", pixels, self._last_step, dataformats="HWC")

    def close(self, status: Status) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> SummaryWriter:
        assert self._writer is not None  # noqa: S101 - open comes first
        return self._writer
