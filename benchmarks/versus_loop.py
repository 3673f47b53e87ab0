"""A whole run of ``ecgan-train`` against a small study written by hand in PyTorch, from start to scores.

Both train the suite's autoencoder on the same 1,900 normal beats of ECG5000 for 20 epochs, keep the weights of the best
validation epoch, and score 3,000 beats, with one thread, in turns, each in a process of its own. ``overhead.py``
compares the training steps alone.

Usage: ``python benchmarks/versus_loop.py [--rounds 3]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile

from versus.environments import FOREIGN
from versus.rounds import alternate, our_side, scores, times
from versus.work import DETECTION, write

SETTINGS = {"epochs": 20, "batch": 64}


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        work = {**SETTINGS, "folder": folder}
        work["data"] = str(write(DETECTION, work))
        sides = {"theirs": [sys.executable, str(FOREIGN / "bare_loop.py")], "ours": our_side("whole")}
        found, name = alternate(sides, work, rounds), "study by hand"
        times(name, "from the start of the process to scores", "CPU s", found, "ours", "whole").tell()
        scores(name, "test part", "AUROC", found, "ours", "auroc").tell()


if __name__ == "__main__":
    main()
