"""Cross-validation inside the training file of a set of the UCR archive: how settings of classifiers are chosen.

The training file is divided into folds, each of which is tested once by a model that was trained on the others (a
tenth of them validates), with everything else as in a run. The archive's test file is not read.

Usage: ``python benchmarks/choose_classifier.py resnet1d wafer [--folds 5] [--only 0 1] [key=value ...]``, for example
with ``model.label_smoothing=0.1 trainer.max_epochs=30``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from ecgan import provenance
from ecgan.assembly import open_data
from ecgan.config import compose
from ecgan.data.store import Store
from ecgan.engine import quiet
from ecgan.evaluate.class_predictions import probabilities, read_class_predictions
from ecgan.experiment import run_fold
from ecgan.types import TRAIN, Fold, IntArray


def folds_inside(store: Store, folds: int, seed: int) -> Iterator[Fold]:
    """Folds of the source's own training part."""
    series = np.flatnonzero(store.part == TRAIN)
    label = np.asarray(store.label[series])
    for number, (kept, tested) in enumerate(cuts(label, folds, seed)):
        train, val = next(cuts(label[kept], 10, seed))
        yield Fold(number, series[kept[train]], series[kept[val]], series[tested])


def cuts(label: IntArray, folds: int, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Stratified folds as positions, also where a class has fewer series than there are folds."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(label, label)


def main() -> None:
    """Print accuracy, errors and log loss of each fold and of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="+", help="some of the folds")
    given, settings = parser.parse_known_args()
    chosen = ["experiment=ucr_classification", f"dataset={given.dataset}", f"model={given.model}"]
    cfg = compose([*chosen, "trainer.threads=1", "trainer.progress_bar=false", "trainer.figures=false", *settings])
    store = open_data(cfg)
    right, losses = [], []
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        provenance.claim(directory)
        for fold in folds_inside(store, given.folds, cfg.seed):
            if given.only is not None and fold.number not in given.only:
                continue
            start = time.perf_counter()
            with quiet():
                run_fold(cfg, store, fold, directory)
            table = read_class_predictions(directory / f"fold_{fold.number}" / "classification" / "predictions.csv")
            p = probabilities(table)
            right.append((table["label"] == table["predicted"]).to_numpy())
            losses.append(log_loss(table["label"], p, labels=range(p.shape[1])))
            print(
                f"fold {fold.number}: accuracy {right[-1].mean():.4f} ({(~right[-1]).sum()} wrong), "
                f"log loss {losses[-1]:.4f} in {time.perf_counter() - start:.0f} s",
                flush=True,
            )
    accuracy = np.concatenate(right).mean()
    print(f"{given.model} {given.dataset} {' '.join(settings)}: {accuracy:.4f}, log loss {np.mean(losses):.4f}")


if __name__ == "__main__":
    main()
