"""Checkpoints and bundles, copied to where ``tracker.checkpoints`` says."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from ecgan.track.record import Record, Row, Status
from ecgan.track.remote import upload

BUNDLE = "bundle.zip"


class CheckpointCopies:
    """Copies the checkpoints of each fold when it has ended, and, when the run has, a bundle of each fold if asked.

    Args:
        address: of a folder, such as ``s3://bucket/prefix``; files get their place in the folder ``outputs`` below it.
    """

    unbounded: ClassVar[bool] = True

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def open(self, record: Record) -> int:
        """Nothing is sent before the end."""
        return 0

    def metrics(self, first: int, rows: Sequence[Row]) -> None:
        """Metrics are no checkpoints."""

    def outcome(self, record: Record, status: Status) -> None:
        """Copy what is there, unless the run goes on later and overwrites it."""
        if status == "interrupted":
            return
        address = "/".join([self.address, *record.place.values(), record.group])
        if record.fold is not None:
            files = sorted((record.directory / "checkpoints").glob("*.ckpt"))
            upload({f"{record.name}/checkpoints/{file.name}": file for file in files}, address)
        elif record.config["tracker"]["artifact"]:
            with tempfile.TemporaryDirectory(prefix="ecgan-") as folder:
                upload(_bundles(record.run, Path(folder)), address)

    def close(self, status: Status) -> None:
        """Nothing is open."""


def _bundles(run: Path, folder: Path) -> dict[str, Path]:
    """Write a bundle of each fold that has one to give, by its place below the run."""
    from ecgan import provenance
    from ecgan.publish.bundle import Request, publish

    bundles = {}
    for name in provenance.read_finished(run)["folds"]:
        file = folder / name / BUNDLE
        publish(Request(run, file, int(name.removeprefix("fold_"))))
        bundles[f"{name}/{BUNDLE}"] = file
    return bundles
