"""Write the tutorial's own division of ECG5000 as a splits file.

The tutorial seeds numpy with 42, puts the test file behind the training file, shuffles, and cuts the normal beats with
scikit-learn's ``train_test_split`` and ``random_state=42``: 15 % off, of which 33 % test. All abnormal beats test.

Usage: ``python tools/tutorial_splits.py OUT.json``
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from ecgan.data.sources.ecg5000 import ECG5000
from ecgan.data.splits.splits_file import data_facts, write_splits
from ecgan.types import Fold

SEED = 42
DESCRIPTION = "the tutorial's own hold-out; all abnormal series in the test part; trained on normal series only"


def main(out: Path) -> None:
    """Write the file."""
    bundled = Path(__file__).parents[1] / "src" / "ecgan" / "data" / "bundled"
    label = ECG5000().read(bundled, None).y
    shuffled = np.random.RandomState(SEED).permutation(len(label))
    normal = shuffled[label[shuffled] == 0]
    train, rest = train_test_split(normal, test_size=0.15, random_state=SEED)
    val, test = train_test_split(rest, test_size=0.33, random_state=SEED)
    test = np.concatenate([test, np.flatnonzero(label != 0)])
    fold = Fold(0, np.sort(train), np.sort(val), np.sort(test)).check(len(label))
    protocol = {"description": DESCRIPTION, "method": "the tutorial's", "seed": SEED}
    write_splits(out, [fold], data_facts(label, None), protocol)
    print(f"{out}: {len(train)} / {len(val)} / {len(test)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
