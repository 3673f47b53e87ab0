"""How long ecgan-report takes for very many runs: a simulated tree of finished run directories, read and written.

A tree like that of a large sweep: data sets, models and detectors, five folds each, with all metrics and intervals of a
real ``results.csv``, and now and then a run that failed. Learning rates differ, so that the table has many rows: of
every ten runs, five are seeds of one setting. The clock tells apart writing the tree, which is not part of the report,
reading it, and the report as a whole; peak memory is that of the process.

Usage: ``python benchmarks/report.py [--runs 10000] [--detectors 4] [--keep FOLDER]``
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

from ecgan.comparison import Request, compare
from ecgan.comparison.command import read_all
from ecgan.config import compose
from ecgan.files import digest

FOLDS, SEEDS = 5, 5
MODELS = ("autoencoder", "vae", "beatgan", "lstm_autoencoder")
DATASETS = tuple(f"set_{number:02d}" for number in range(20))
DETECTORS = ("reconstruction", "knn", "pca", "lstm_autoencoder", "ocsvm", "isolation_forest")
INTERVALS = ("auroc", "average_precision", "f1", "mcc", "balanced_accuracy", "sensitivity", "specificity", "precision")
METRICS = (
    *INTERVALS,
    *("f1_macro", "f1_weighted", "accuracy"),
    *(f"recall_class_{c}" for c in range(5)),
    *(f"{name}_{end}" for name in INTERVALS for end in ("low", "high")),
)
DETECTOR = """  {name}:
    scorer:
      _target_: ecgan.detect.scorers.KNearest
      k: 5
    threshold: ${{threshold}}
"""
FAILED = 50
"""One of so many runs has failed."""


def write_tree(root: Path, runs: int, detectors: tuple[str, ...]) -> None:
    """Write the run directories; their numbers are drawn, the same ones every time."""
    configs = {name: OmegaConf.to_yaml(compose([f"model={name}", "detector=[knn]"])) for name in MODELS}
    own = "".join(DETECTOR.format(name=name) for name in detectors)
    rng = np.random.default_rng(0)
    for number in range(runs):
        setting, seed = divmod(number, SEEDS)
        dataset, model = DATASETS[setting % len(DATASETS)], MODELS[setting // len(DATASETS) % len(MODELS)]
        directory = root / f"{setting:05d}" / str(seed)
        (directory / ".hydra").mkdir(parents=True)
        head, _, tail = configs[model].partition("detector:\n")
        tail = tail[tail.index("generation:") :]
        text = f"{head}detector:\n{own}{tail}".replace("seed: 0\n", f"seed: {seed}\n", 1)
        text = re.sub(r"\blr: [\d.e-]+", f"lr: {0.001 + setting * 1e-6:.6f}", text)
        (directory / ".hydra" / "config.yaml").write_text(text, encoding="utf-8")
        status = "failed" if number % FAILED == FAILED - 1 else "finished"
        facts = run_facts(dataset, seed, detectors) | {"status": status, "error": "RunError: simulated"}
        (directory / "run.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
        for name in detectors:
            folder = directory / "fold_0" / "detection" / name
            folder.mkdir(parents=True)
            (folder / "threshold.json").write_text('{"value": 0.5, "supervision": "normal_only"}', encoding="utf-8")
        values = iter(rng.uniform(0.5, 1, FOLDS * len(detectors) * len(METRICS)).tolist())
        lines = [f"{k},{d},test,{m},{next(values)!r}" for k in range(FOLDS) for d in detectors for m in METRICS]
        table = "\n".join(["fold,detector,split,metric,value", *lines, ""])
        (directory / "results.csv").write_text(table, encoding="utf-8")


def run_facts(dataset: str, seed: int, detectors: tuple[str, ...]) -> dict[str, object]:
    """What a ``run.json`` holds that the report reads, and about as much again."""
    return {
        "command": f"ecgan-train dataset={dataset} seed={seed}",
        "versions": {f"package_{n}": "1.0" for n in range(9)},
        "seed": seed,
        "dataset": {
            "name": dataset,
            "hash": digest(dataset),
            "counts": {"normal": 1000, "abnormal": 100},
            "groups_known": True,
            "test_shared_by_folds": False,
            "note": "",
        },
        "protocol": {
            "description": "5-fold cross-validation, stratified, by patient",
            "grouping": "patient",
            "groups_known": True,
            "groups_kept_apart": True,
            "groups_mixed_between": [],
        },
        "splits": digest([dataset, "splits"]),
        "detectors": list(detectors),
        "folds": {
            f"fold_{k}": {"status": "finished", "weights": digest(k), "spec": {"seq_len": 1}} for k in range(FOLDS)
        },
    }


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--detectors", type=int, default=4)
    parser.add_argument("--keep", type=Path, help="folder for the tree, which stays there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure(given.keep or Path(temporary), given.runs, DETECTORS[: given.detectors])


def measure(root: Path, runs: int, detectors: tuple[str, ...]) -> None:
    """Write the tree, read it, report on it, and print what that took."""
    started = time.perf_counter()
    write_tree(root / "runs", runs, detectors)
    written = time.perf_counter()
    for _ in read_all([root / "runs"], []):
        pass
    read, cpu = time.perf_counter(), time.process_time()
    report = compare(Request((root / "runs",), root / "report"))
    done, computed = time.perf_counter(), time.process_time() - cpu
    size = sum(file.stat().st_size for file in (root / "report").iterdir()) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = ("tree s", "read s", "report s", "CPU s")
    print(f"{'runs':>8}{'rows':>8}{'not counted':>13}{''.join(f'{name:>10}' for name in times)}{'MB':>8}{'peak MB':>9}")
    counts = f"{report.runs:>8}{len(report.rows):>8}{len(report.problems):>13}"
    seconds = (written - started, read - written, done - read, computed)
    print(f"{counts}{''.join(f'{value:>10.1f}' for value in seconds)}{size:>8.1f}{peak:>9.0f}")
    print(
        "read: the run directories alone; report: all of ecgan-report, reading included, and its share of a processor;"
    )
    print("MB: of what it writes; peak: of the process, that writes the tree too", flush=True)


if __name__ == "__main__":
    main()
