"""What every detector reaches on ECG5000 with a model that serves it: the table "Measured" of ``docs/detectors.md``.

Each model is trained once, as by ``ecgan-train`` over three folds that share one test part, and all detectors that it
serves run on that fit. All numbers are read from the run directories. Finished runs are not repeated.

Usage: ``python benchmarks/detectors.py [--out FOLDER] [--write docs/detectors.md] [key=value ...]``
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from ecgan.assembly import data_module, open_data
from ecgan.config import build, reconfigured
from ecgan.data.splits.splits_file import read_splits
from ecgan.trained import load_trained
from ecgan.usage import options
from floors import COMMON, MISSING, SETTINGS, folds, metric_of, say, settle, write

SERVED: dict[str, tuple[str, ...]] = {
    "beatgan": (
        "reconstruction",
        "feature_matching",
        "discriminator",
        "latent_density",
        "combined",
        "combined_autoencoder",
        "combined_grid",
        "combined_svm",
        "anogan",
        "lstm_autoencoder",
        "knn",
        "pca",
        "isolation_forest",
        "ocsvm",
    ),
    "dcgan": ("discriminator", "anogan", "inverse_mapping"),
    "cnn": ("classifier",),
    "autoencoder": ("reconstruction", "whitened_knn"),
}
"""Which detectors run on which model."""
METRICS = ("auroc", "average_precision", "mcc")
SERIES = 256
"""Series whose scoring is timed."""


def settings(model: str, extra: Sequence[str]) -> list[str]:
    """What a model is trained with."""
    named = f"detector=[{','.join(SERVED[model])}]"
    return [*COMMON, f"model={model}", named, "generation.n=0", *SETTINGS.get(model, ()), *extra]


def milliseconds(directory: Path, detector: str) -> float:
    """Time per series, of some of the test part, with a scorer as the run's first fold has fitted it."""
    from safetensors.torch import load_file

    from ecgan.detect.callback import STATE

    facts = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    cfg = reconfigured(directory / ".hydra" / "config.yaml", Path(facts["cwd"]), ())
    trained, scorer = load_trained(directory), build(cfg.detector[detector].scorer)
    file = directory / "fold_0" / "detection" / detector / STATE
    scorer.load_state(load_file(file) if file.is_file() else {}, trained.model, torch.device("cpu"))
    tested, _ = read_splits(directory / "splits.json")
    store = open_data(cfg)
    x = data_module(cfg, store, tested[0], 0).part(tested[0].test[:SERIES]).__getitems__(list(range(SERIES))).x
    with torch.no_grad(), threadpool_limits(1):
        torch.set_num_threads(1)
        scorer.score(trained.model, x[:8])
        start = time.perf_counter()
        scorer.score(trained.model, x)
    return 1000 * (time.perf_counter() - start) / SERIES


def row(directory: Path, model: str, detector: str) -> str:
    """A row of the table in Markdown."""
    if not folds(directory):
        return f"| `{detector}` | `{model}` | {' | '.join([MISSING] * (len(METRICS) + 2))} |"
    file = folds(directory)[0] / "detection" / detector / "threshold.json"
    supervision = json.loads(file.read_text(encoding="utf-8"))["supervision"]
    cells = [metric_of(f"detection/{detector}/metrics.json", metric)(directory) for metric in METRICS]
    took = f"{milliseconds(directory, detector):.2f}"
    return f"| `{detector}` | `{model}` | {supervision} | {' | '.join([*cells, took])} |"


def table(out: Path) -> str:
    """The table in Markdown."""
    head = ["detector", "model", "supervision", "AUROC", "AP", "MCC", "ms per series"]
    rows = [row(out / f"detectors_{model}", model, name) for model, names in SERVED.items() for name in names]
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *rows])


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("outputs/floors"), help="where the runs go and stay")
    parser.add_argument("--models", nargs="+", choices=sorted(SERVED), default=list(SERVED))
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    given, extra = parser.parse_known_args()
    missing = set(options("detector")) - {"none"} - {name for names in SERVED.values() for name in names}
    if missing:
        sys.exit(f"No model runs the detectors {', '.join(sorted(missing))}; add them to SERVED.")
    for model in given.models:
        settle(given.out / f"detectors_{model}", [*settings(model, extra), f"paths.data={given.out / 'data'}"])
    text = table(given.out)
    print(text)
    if given.write is not None:
        write(given.write, text)
        say(f"written into {given.write}")


if __name__ == "__main__":
    main()
