"""PyOD's autoencoder and AnoGAN against ours, on the normal beats of ECG5000.

Both sides train on the same 1,900 normal beats and score the same 3,000, with one thread, batches of the same size and
as many epochs, in turns, each in a process of its own. PyOD has an environment of its own. Its networks are dense, so
our training rules run twice: with the same dense networks, which compares the programs, and with the suite's own.

Usage: ``python benchmarks/versus_pyod.py [--rounds 3] [--python FILE] [--only autoencoder anogan]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from versus.environments import FOREIGN, python_of
from versus.rounds import alternate, our_side, scores, times
from versus.work import DETECTION, write

AUTOENCODER = {"epochs": 20, "batch": 32, "eval_batch": 512, "lr": 1e-3, "weight_decay": 1e-5}
AUTOENCODER |= {"hidden": [64, 32], "dropout": 0.2}
"""Sizes, rates and dropout are PyOD's defaults; it has 10 epochs."""
ANOGAN = {"epochs": 10, "batch": 32, "lr": 5e-4, "latent": 32, "generator": [64, 128], "critic": [128, 64]}
ANOGAN |= {"steps": 100, "search_lr": 0.05, "searched": 25, "fit_steps": 20, "every": 3}
"""``fit_steps``, PyOD's default, are steps that its ``fit`` searches for each training series;
``every`` third series of the test part is scored."""


def autoencoder(python: Path, given: dict[str, Any], rounds: int) -> None:
    """Rows of the autoencoders."""
    sides = {
        "theirs": [str(python), str(FOREIGN / "pyod_autoencoder.py")],
        "dense": our_side("autoencoder_dense"),
        "own": our_side("autoencoder"),
    }
    found, name = alternate(sides, given, rounds), "pyod AutoEncoder"
    for side, network in (("dense", "same network"), ("own", "`autoencoder`")):
        times(name, f"a training epoch, {network}", "CPU s", found, side, "epoch").tell()
        times(name, f"the whole fit, {network}", "CPU s", found, side, "fit").tell()
        times(name, f"scoring a series, {network}", "CPU µs", found, side, "score").tell()
        scores(name, f"test part, {network}", "AUROC", found, side, "auroc").tell()


def anogan(python: Path, given: dict[str, Any], rounds: int) -> None:
    """Rows of the searches."""
    sides = {
        "theirs": [str(python), str(FOREIGN / "pyod_anogan.py")],
        "dense": our_side("anogan_dense"),
        "own": our_side("anogan"),
    }
    found, name = alternate(sides, given, rounds), "pyod AnoGAN"
    for side, network in (("dense", "same networks"), ("own", "`dcgan`")):
        times(name, f"100 steps of search for a series, {network}", "CPU ms", found, side, "search").tell()
        scores(name, f"test part, {network}", "AUROC", found, side, "auroc").tell()


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", type=Path, help="interpreter of an environment that has PyOD already")
    parser.add_argument("--only", nargs="+", choices=["autoencoder", "anogan"], default=["autoencoder", "anogan"])
    given = parser.parse_args()
    python = python_of("pyod", given.python)
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in (("autoencoder", AUTOENCODER), ("anogan", ANOGAN)):
            if name in given.only:
                work = {**settings, "folder": folder}
                work["data"] = str(write(DETECTION, work))
                getattr(sys.modules[__name__], name)(python, work, given.rounds)


if __name__ == "__main__":
    main()
