"""Finished runs as trackers meet them, and what trackers have written, read back."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ecgan.config import compose

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
"""A figure of one point."""


def with_trackers(run: Path, to: Path, *overrides: str) -> Path:
    """Copy a finished run; the copy was trained with other settings of its trackers, and has a figure in each fold."""
    place = compose().tracker
    copy = to.joinpath(place.entity, place.project, place.experiment, run.name)
    shutil.copytree(run, copy)
    file = copy / ".hydra" / "config.yaml"
    cfg = OmegaConf.load(file)
    OmegaConf.update(cfg, "tracker", compose(overrides).tracker, merge=False)
    OmegaConf.save(cfg, file)
    for fold in copy.glob("fold_*"):
        (fold / "figures").mkdir(exist_ok=True)
        (fold / "figures" / "loss.png").write_bytes(PNG)
    return copy


def wandb_records(file: Path) -> Iterator[Any]:
    """Records of a ``.wandb`` file, which is a log as of LevelDB: blocks of 32 KiB with pieces of records."""
    from wandb.proto import wandb_internal_pb2

    data, record, at = file.read_bytes(), b"", 7  # the file's own head
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if 2**15 - at % 2**15 < 7:  # what is left of a block is too short for a head
            at += 2**15 - at % 2**15
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or last piece
            yield wandb_internal_pb2.Record.FromString(record)
            record = b""
