"""How time and memory grow with the number of series: storing them, and one epoch of training over the store.

For each size, ``ecgan-preprocess`` and ``ecgan-train`` run as a user runs them, in processes of their own, on synthetic
series of 187 samples. Memory is the peak of anonymous memory (``RssAnon`` of the process and all its children, read
from ``/proc``): the pages of the memory-mapped store are the system's to drop and do not count.

Usage: ``python benchmarks/scale.py [--sizes 20000 200000 2000000] [--batch 512]``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

MIB = 2**20
LOOK_AFTER_S = 0.05


def anonymous_bytes(process: psutil.Process) -> int:
    """Anonymous memory of a process and its children now."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            status = Path(f"/proc/{one.pid}/status").read_text(encoding="ascii")
        except OSError:  # it has ended meanwhile
            continue
        total += sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))
    return total


def watched(command: str, *settings: str, folder: Path) -> tuple[float, float]:
    """Run a console script; seconds and peak anonymous MiB.

    Raises:
        subprocess.CalledProcessError: when it fails.
    """
    call = [sys.executable, "-c", f"from ecgan.cli import {command}; {command}()", *settings]
    started, peak = time.perf_counter(), 0
    with (folder / f"{command}.log").open("w") as log, subprocess.Popen(call, stdout=log, stderr=log) as process:
        while process.poll() is None:
            peak = max(peak, anonymous_bytes(psutil.Process(process.pid)))
            time.sleep(LOOK_AFTER_S)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, call, (folder / f"{command}.log").read_text())
    return time.perf_counter() - started, peak / MIB


def measure(size: int, batch: int, folder: Path) -> dict[str, Any]:
    """One size: store it, train one epoch on it."""
    data = ["dataset=sine", f"dataset.n_series={size}", "dataset.seq_len=187", f"paths.data={folder}"]
    store_s, store_mib = watched("preprocess", *data, folder=folder)
    run = folder / "run"
    settings = ["model=autoencoder", "trainer.max_epochs=1", f"data.batch_size={batch}", "split=holdout"]
    settings += ["detector=[reconstruction]", "trainer.figures=false", f"hydra.run.dir={run}"]
    train_s, train_mib = watched("train", *data, *settings, folder=folder)
    fold = json.loads((run / "run.json").read_text())["folds"]["fold_0"]
    parts = json.loads((run / "splits.json").read_text())["folds"][0]
    return {
        "series": size,
        "store s": store_s,
        "store MiB": store_mib,
        "run s": train_s,
        "run MiB": train_mib,
        "trained": len(parts["train"]),
        "series/s": (len(parts["train"]) + len(parts["val"])) / fold["fit_s"],
    }


def main() -> None:
    """Print one row per size as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 200_000, 2_000_000])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where stores and runs go and stay; by default a temporary folder")
    given = parser.parse_args()
    for number, size in enumerate(given.sizes):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            row = measure(size, given.batch, Path(folder))
        if not number:
            print(" | ".join(row))
        print(" | ".join(f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" for value in row.values()), flush=True)


if __name__ == "__main__":
    main()
