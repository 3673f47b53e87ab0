"""CMU motion capture: BeatGAN's selection of walking, jogging and jumping."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecgan.data.formats.acclaim import read_angles, read_skeleton
from ecgan.data.formats.tables import read_numbers
from ecgan.data.source import BaseSource
from ecgan.errors import ConfigError
from ecgan.preprocess.window import windows
from ecgan.types import TEST, TRAIN, Card, FloatArray, Recordings, RemoteFile

URL = "http://mocap.cs.cmu.edu"
ANGLES = (("lhumerus", "rx"), ("rhumerus", "rx"), ("lfemur", "rx"), ("rfemur", "rx"))
FS_HZ = 120.0
WALKS = (358, 406, 427, 433, 427, 438, 360, 455, 384, 432, 385, 397, 454, 411, 406, 443)
JOGS = (167, 175, 160, 163, 161, 167, 162, 150, 165, 138)
FRAMES = {f"35_{number:02d}": frames for number, frames in enumerate(WALKS + JOGS, 1)} | {"49_02": 2085}
"""Frames of each trial."""
TRAINED = 14
"""BeatGAN trains on so many of the walks."""
FOLDERS = ("walk", "run", "other")
"""Where the files of BeatGAN's authors lie, by class."""


class CMUMoCap(BaseSource):
    """Windows of joint angles of people who walk, jog and jump: the trials of the CMU database that BeatGAN uses.

    Shape (N, 4, 64) by default, unit degrees, 120 Hz; channels are the first angle (rx) of left and right upper arm and
    of left and right thigh. Windows start every 5 frames. Classes with counts: walk 1,125 (trials 35_01 to 35_16), jog
    199 (35_17 to 35_26), jump 405 (49_02, jumping and hopping). BeatGAN's partition (the 980 windows of walks 1 to 14
    train, all others test) is kept as the ``official`` split. Read from the four-column files of BeatGAN's authors
    (``walk/35_01.amc.4d`` and so on), or from the database's own ``subjects/35/35_01.amc`` with ``35.asf``, which are
    what is downloaded; both give the same angles within 5e-7 degrees.

    Licence: free for all uses. Cite: "The data used in this project was obtained from mocap.cs.cmu.edu. The database
    was created with funding from NSF EIA-0196217."; selection: Zhou et al. (2019), doi:10.24963/ijcai.2019/616.

    Traps: all walks and jogs are of one subject, all jumps of another in one trial. Neighboring windows share 59 of 64
    frames, so windows of a trial must never be on both sides of a split: trials are given as groups. The very last
    frame of a trial is in no window, as with the authors, or their counts would not come out. The authors scale each
    channel by the extremes of its whole trial; here nothing is scaled.

    Args:
        window: frames per window.
        step: frames from the start of a window to that of the next.

    Raises:
        ConfigError: when one of them is below 1.
    """

    name = "cmu_mocap"
    classes = ("walk", "jog", "jump")
    note = "all walks are of one subject, so the results say nothing about other people; groups are trials"
    grouping = "trial"
    partition = "BeatGAN's: walks 1 to 14 train"
    card = Card("CMU motion capture, BeatGAN's selection of trials", 1729, 64, 4, False, "free, cite", 8)
    remote = tuple(
        RemoteFile(f"subjects/{name[:2]}/{name}", f"{URL}/subjects/{name[:2]}/{name}")
        for name in ("35.asf", "49.asf", *(f"{trial}.amc" for trial in FRAMES))
    )

    def __init__(self, window: int = 64, step: int = 5) -> None:
        if window < 1 or step < 1:
            raise ConfigError(f"dataset.window and dataset.step must be at least 1, not {window} and {step}.")
        self.window, self.step = window, step
        counts = dict.fromkeys(self.classes, 0)
        for trial, frames in FRAMES.items():
            counts[self.classes[_class(trial)]] += max(0, -(-(frames - window) // step))
        self.expected = counts

    def found(self, raw: Path) -> tuple[str, ...]:
        """Files of all trials that are there; those of BeatGAN's authors rather than the database's own."""
        names = [name for trial in FRAMES for name in _files(trial, raw)]
        return tuple(dict.fromkeys(names))

    def pieces(self, raw: Path) -> Sequence[str]:
        """Names of the trials."""
        return [trial for trial in FRAMES if _files(trial, raw)]

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Cut one trial into windows.

        Raises:
            DataError: when a file is damaged, naming the line.
        """
        angles = _angles(raw, _files(piece, raw))
        x = windows(angles[:, :-1], self.window, self.step)
        n = len(x)
        trained = _class(piece) == 0 and int(piece[3:]) <= TRAINED
        return Recordings(
            x.astype(np.float32),
            np.full(n, _class(piece)),
            FS_HZ,
            "deg",
            group=np.full(n, int(piece.replace("_", ""))),
            part=np.full(n, TRAIN if trained else TEST),
            dropped={} if n else {"trial no longer than a window": 1},
        )


def _class(trial: str) -> int:
    if not trial.startswith("35"):
        return 2
    return 0 if int(trial[3:]) <= len(WALKS) else 1


def _files(trial: str, raw: Path) -> tuple[str, ...]:
    """Names of the files to read a trial from; none where it is not there."""
    of_authors = f"{FOLDERS[_class(trial)]}/{trial}.amc.4d"
    if (raw / of_authors).is_file():
        return (of_authors,)
    folder = f"subjects/{trial[:2]}"
    original = (f"{folder}/{trial[:2]}.asf", f"{folder}/{trial}.amc")
    return original if all((raw / name).is_file() for name in original) else ()


def _angles(raw: Path, files: tuple[str, ...]) -> FloatArray:
    """Angles (4, frames) in degrees."""
    if len(files) > 1:
        skeleton, motion = files
        return read_angles(raw / motion, read_skeleton(raw / skeleton), ANGLES)
    path = raw / files[0]
    lines = path.read_bytes().splitlines()
    return read_numbers(b"\n".join(b",".join(line.split()) for line in lines), len(ANGLES), path).T
