"""ECG5000: the heartbeats that come with the package."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ecgan.data.source import BaseSource
from ecgan.errors import DataError
from ecgan.types import TEST, TRAIN, Card, Recordings, RemoteFile

FILE = "ecg5000.npz"
SHA256 = "b05e9e995263eb20296713398316f5d4639f31ad9b0df1e4c7174bcfde3fad97"


class ECG5000(BaseSource):
    """5,000 heartbeats of one patient with congestive heart failure, 140 samples, one channel.

    Shape (5000, 1, 140), each beat z-normalised and interpolated to equal length by the archive, so unit 1 and no
    sampling rate. Classes with counts: normal 2,919; R-on-T premature ventricular contraction 1,767; premature
    ventricular contraction 96; supraventricular premature or ectopic beat 194; unclassified 24. The archive's
    partition (500 training, 4,500 test) is kept as the ``official`` split.

    Licence: free for research with citation; origin: BIDMC Congestive Heart Failure Database, record chf07
    (PhysioNet, ODC-By 1.0). Cite: Dau et al. (2019), doi:10.1109/JAS.2019.1911747; Goldberger et al. (2000),
    doi:10.1161/01.CIR.101.23.e215; Chen et al. (2015).

    Traps: all beats come from one patient, so no result on it says anything about other patients. Labels were made
    automatically. Nearest neighbors and PCA nearly solve it.
    """

    name = "ecg5000"
    classes = ("normal", "R-on-T PVC", "PVC", "SP or EB", "unclassified")
    note = "all beats are of one patient, so the results say nothing about other patients"
    partition = "the archive's"
    expected = dict(zip(classes, (2919, 1767, 96, 194, 24), strict=True))  # noqa: RUF012 - read only
    card = Card("heartbeats of one patient, UCR archive", 5000, 140, 1, False, "research, cite", 0)
    remote = (RemoteFile(FILE, sha256=SHA256),)

    def read(self, raw: Path, piece: Any) -> Recordings:
        """Read all beats.

        Raises:
            DataError: when the file is damaged.
        """
        try:
            with (raw / FILE).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                x, label, n_train = archive["x"], archive["label"], int(archive["n_train"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{raw / FILE} is damaged ({error}); install the package again.") from error
        part = np.where(np.arange(len(x)) < n_train, TRAIN, TEST)
        # one patient: a group per series would promise a separation that does not exist, so none is given
        return Recordings(x[:, None, :], label.astype(np.int64), fs_hz=None, unit="1", part=part)
