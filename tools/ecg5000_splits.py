"""Write divisions of ECG5000 that others have used as splits files.

``first2000``: the protocol of github.com/drawcodeboy (SRL-AE). Of the normal beats in the archive's order, those of the
training file first, 1,900 train, 100 validate and 919 test; all 2,081 abnormal beats test.

``original``: the sizes of the first ecgan's default (normal_only, 0.85 / 0.15, five folds): normal beats 1,985 / 497 /
437, abnormal beats 0 / 1,107 / 974. Which beats went where depended there on the model; here on the seed.

Usage: ``python tools/ecg5000_splits.py FOLDER``
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ecgan.data.sources.ecg5000 import ECG5000
from ecgan.data.splits.splits_file import data_facts, write_splits
from ecgan.types import Fold, IntArray

SEED = 0
DESCRIPTIONS = {
    "first2000": "a hold-out of the first 2,000 normal beats; all abnormal series in the test part; trained on normal "
    "series only",
    "original": "a hold-out in the sizes of the first ecgan; abnormal series in validation and test; trained on normal "
    "series only",
}


def first2000(label: IntArray) -> Fold:
    """The first normals train and validate."""
    normal, abnormal = np.flatnonzero(label == 0), np.flatnonzero(label != 0)
    return Fold(0, normal[:1900], normal[1900:2000], np.sort(np.concatenate([normal[2000:], abnormal])))


def original(label: IntArray) -> Fold:
    """Normals in three parts, abnormal beats in two."""
    rng = np.random.default_rng(SEED)
    train, val, test = np.split(rng.permutation(np.flatnonzero(label == 0)), [1985, 1985 + 497])
    val_abnormal, test_abnormal = np.split(rng.permutation(np.flatnonzero(label != 0)), [1107])
    val, test = np.concatenate([val, val_abnormal]), np.concatenate([test, test_abnormal])
    return Fold(0, np.sort(train), np.sort(val), np.sort(test))


def main(folder: Path) -> None:
    """Write the files."""
    bundled = Path(__file__).parents[1] / "src" / "ecgan" / "data" / "bundled"
    label = ECG5000().read(bundled, None).y
    for name, divide in (("first2000", first2000), ("original", original)):
        fold = divide(label).check(len(label))
        protocol = {"description": DESCRIPTIONS[name], "method": f"tools/ecg5000_splits.py: {name}", "seed": SEED}
        write_splits(folder / f"ecg5000_{name}_splits.json", [fold], data_facts(label, None), protocol)
        print(f"{name}: {len(fold.train)} / {len(fold.val)} / {len(fold.test)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
