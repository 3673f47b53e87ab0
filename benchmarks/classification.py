"""Accuracy, macro F1 and Matthews correlation of a classifier on a set of the UCR archive, over several seeds.

Each seed is one run of ``ecgan-train experiment=ucr_classification``: the archive's own division, a tenth of the
training file for validation, the weights of the smallest validation loss. Nothing is chosen by the test part. Finished
runs are not repeated, so an interrupted benchmark goes on with the same command.

Usage: ``python benchmarks/classification.py resnet1d ecg5000 [--seeds 0 1 2 3 4] [--out FOLDER] [key=value ...]``
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np

from ecgan.config import compose
from ecgan.experiment import run

METRICS = ("accuracy", "f1_macro", "mcc")


def result(model: str, dataset: str, seed: int, out: Path, settings: list[str]) -> dict[str, float]:
    """Train with one seed, unless that has been done; the metrics of the test part."""
    directory = out / f"{dataset}_{model}_{seed}"
    if not (directory / "summary.json").is_file():
        shutil.rmtree(directory, ignore_errors=True)  # of a run that was interrupted
        chosen = ["experiment=ucr_classification", f"dataset={dataset}", f"model={model}", f"seed={seed}"]
        fixed = ["trainer.threads=1", "trainer.progress_bar=false"]
        run(compose([*chosen, *fixed, *settings]), directory)
    summary = json.loads((directory / "summary.json").read_text(encoding="utf-8"))["-"]
    return {name: summary[name]["mean"] for name in METRICS}


def main() -> None:
    """Print one row per seed, then mean and standard deviation (n - 1)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=Path("outputs/classification"))
    given, settings = parser.parse_known_args()
    rows = []
    for seed in given.seeds:
        start = time.perf_counter()
        rows.append(result(given.model, given.dataset, seed, given.out, settings))
        shown = ", ".join(f"{name} {value:.4f}" for name, value in rows[-1].items())
        print(f"{given.model} {given.dataset} seed {seed}: {shown} in {time.perf_counter() - start:.0f} s", flush=True)
    for name in METRICS:
        values = np.array([row[name] for row in rows])
        sd = values.std(ddof=1) if len(values) > 1 else np.nan
        print(
            f"{given.model} {given.dataset} {name}: {values.mean():.4f} ± {sd:.4f} over {len(values)} seeds", flush=True
        )


if __name__ == "__main__":
    main()
