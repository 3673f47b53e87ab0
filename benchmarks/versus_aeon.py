"""aeon's InceptionTime and its reading of files against ours, on ECG5000.

Both sides train one member (the ensemble is five of them, on both sides) of the same sizes on the same 450 beats of the
training file and classify the 4,500 of the test file, with one thread, Adam at the same constant rate, batches of the
same size and as many epochs, in turns, each in a process of its own. aeon has an environment of its own, with
TensorFlow.

Then both read the archive's two text files. aeon does so in every process; ours stores the series the first time.

Usage: ``python benchmarks/versus_aeon.py [--rounds 3] [--python FILE] [--only inception_time loading]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from versus.environments import FOREIGN, python_of
from versus.rounds import alternate, our_side, scores, times
from versus.work import CLASSES, write

SETTINGS = {"epochs": 3, "batch": 64, "lr": 1e-3}
"""Batch and rate are aeon's defaults; it has 1,500 epochs."""
HEADER = "@problemName ECG5000\n@timeStamps false\n@missing false\n@univariate true\n@equalLength true\n"
HEADER += "@seriesLength {length}\n@classLabel true {classes}\n@data\n"


def inception_time(python: Path, given: dict[str, Any], rounds: int) -> None:
    """Rows of the classifiers."""
    sides = {"theirs": [str(python), str(FOREIGN / "aeon_inception_time.py")], "ours": our_side("inception_time")}
    found, name = alternate(sides, given, rounds), "aeon InceptionTime"
    times(name, "a training epoch of a member, without the first", "CPU s", found, "ours", "epoch").tell()
    times(name, f"the whole fit of a member, {given['epochs']} epochs", "CPU s", found, "ours", "fit").tell()
    times(name, "classifying a series with a member", "CPU ms", found, "ours", "classify").tell()
    scores(name, f"test part, a member after {given['epochs']} epochs", "accuracy", found, "ours", "accuracy").tell()


def loading(python: Path, given: dict[str, Any], rounds: int) -> None:
    """Rows of reading the text files, as the archive has them."""
    files = Path(given["folder"], "mirror", "ecg5000", "raw")
    as_text(np.load(given["data"]), files)
    sides = {"theirs": [str(python), str(FOREIGN / "aeon_loading.py")], "ours": our_side("loading")}
    given = {**given, "files": str(files), "mirror": str(files.parents[1])}
    found, name = alternate(sides, given, rounds), "aeon load_from_ts_file"
    times(name, "reading 4,950 series of 140 samples the first time", "CPU s", found, "ours", "first").tell()
    times(name, "having them in memory every other time", "CPU s", found, "ours", "again").tell()


def as_text(data: Any, folder: Path) -> None:
    """The series in the archive's own format, bare for aeon and in a zip file for us."""
    folder.mkdir(parents=True)
    for part in ("train", "test"):
        label, x = data[f"{part}_label"] + 1, data[part]
        head = HEADER.format(length=x.shape[1], classes=" ".join(map(str, np.unique(data["test_label"]) + 1)))
        lines = [f"{','.join(f'{v:.9g}' for v in row)}:{kind}" for row, kind in zip(x, label, strict=True)]
        (folder / f"ECG5000_{part.upper()}.ts").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    with zipfile.ZipFile(folder / "ECG5000.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.glob("*.ts")):
            archive.write(file, file.name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", type=Path, help="interpreter of an environment that has aeon already")
    parser.add_argument("--only", nargs="+", choices=["inception_time", "loading"])
    given = parser.parse_args(arguments)
    python = python_of("aeon", given.python)
    with tempfile.TemporaryDirectory() as folder:
        work = {**SETTINGS, "folder": folder}
        work["data"] = str(write(CLASSES, work))
        for name in given.only or ("inception_time", "loading"):
            getattr(sys.modules[__name__], name)(python, work, given.rounds)


if __name__ == "__main__":
    main()
