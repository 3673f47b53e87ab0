"""What preprocessing costs, each figure beside its yardstick, measured in turn in one run.

1. Raw MIT-BIH to a finished store, with one and with two processes, against merely reading all 48 records and their
   annotations with wfdb.
2. LTTB of 100,000 series from 187 to 160 samples against the same algorithm as a plain Python loop (timed on some of
   them).
3. The second start from an existing store of 100,000 beats: from the config to the first training batch.

Usage: ``python benchmarks/preprocess.py --mirror FOLDER [--rounds 3]``, where FOLDER holds ``mitbih/raw``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ecgan.data.sources.mitbih import MITBIH
from ecgan.data.store import prepare
from ecgan.preprocess.resample import LTTB
from ecgan.types import Recordings

SERIES, BEFORE, AFTER = 100_000, 187, 160
SLOW_SERIES = 500


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def read_with_wfdb(raw: Path) -> None:
    """Read every record and its annotations, and do nothing with them."""
    import wfdb

    for header in sorted(raw.glob("*.hea")):
        wfdb.rdrecord(str(header.with_suffix("")))
        wfdb.rdann(str(header.with_suffix("")), "atr")


def store_mitbih(raw: Path, workers: int) -> None:
    """Cut all beats of all records into a store."""
    with tempfile.TemporaryDirectory() as folder:
        store = prepare(MITBIH(paced=True), [], raw, Path(folder) / "store", {"name": "mitbih"}, workers)
        if len(store) < SERIES:
            raise SystemExit(f"{raw} holds a subset: {store.manifest['note']}")


def compare_mitbih(raw: Path, rounds: int) -> None:
    """Print the table of the first comparison."""
    works: dict[str, Callable[[], None]] = {
        "wfdb reads all records": lambda: read_with_wfdb(raw),
        "store, 1 process": lambda: store_mitbih(raw, 1),
        "store, 2 processes": lambda: store_mitbih(raw, 2),
    }
    read_with_wfdb(raw)  # files into the system's cache, modules into memory
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    yardstick, *_ = times
    print(f"\n{'MIT-BIH, ' + str(rounds) + ' rounds':<28}{'s (median)':>12}{'ratio':>8}")
    for name, values in times.items():
        ratio = statistics.median(a / b for a, b in zip(values, times[yardstick], strict=True))
        print(f"{name:<28}{statistics.median(values):>12.2f}{ratio:>8.2f}")


def lttb_loop(values: list[float], n: int) -> list[int]:
    """Largest-Triangle-Three-Buckets as it is written down in Steinarsson (2013), sample by sample."""
    every = (len(values) - 2) / (n - 2)
    chosen, last = [0], 0
    for bucket in range(n - 2):
        start, stop = int(bucket * every) + 1, int((bucket + 1) * every) + 1
        end = min(int((bucket + 2) * every) + 1, len(values))
        mean_x = (stop + end - 1) / 2
        mean_y = sum(values[stop:end]) / (end - stop)
        best, largest = start, -1.0
        for i in range(start, stop):
            area = abs((last - mean_x) * (values[i] - values[last]) - (last - i) * (mean_y - values[last]))
            if area > largest:
                best, largest = i, area
        chosen.append(best)
        last = best
    return [*chosen, len(values) - 1]


def compare_lttb(rounds: int) -> None:
    """Print the table of the second comparison."""
    x = np.random.default_rng(0).normal(size=(SERIES, 1, BEFORE)).cumsum(axis=2).astype(np.float32)
    recordings = Recordings(x, np.zeros(SERIES, np.int64), None, "1")
    few = x[:SLOW_SERIES, 0].tolist()
    step, ours, loop = LTTB(AFTER), [], []
    for _ in range(rounds):
        ours.append(SERIES / seconds(lambda: step(recordings)))
        loop.append(SLOW_SERIES / seconds(lambda: [lttb_loop(values, AFTER) for values in few]))
    ratio = statistics.median(a / b for a, b in zip(ours, loop, strict=True))
    print(f"\n{f'LTTB {BEFORE} -> {AFTER}':<28}{'series/s':>12}{'ratio':>8}")
    print(f"{'plain Python loop':<28}{statistics.median(loop):>12,.0f}{1:>8}")
    print(f"{'ecgan':<28}{statistics.median(ours):>12,.0f}{ratio:>8.0f}")


def second_start(rounds: int) -> None:
    """Print the time from the config to the first batch, when the store exists."""
    from ecgan import assembly
    from ecgan.config import compose
    from ecgan.data.store import verify

    with tempfile.TemporaryDirectory() as folder:
        cfg = compose(
            ["dataset=sine", f"dataset.n_series={SERIES}", f"dataset.seq_len={BEFORE}", f"paths.data={folder}"]
        )

        def start() -> None:
            store = assembly.open_data(cfg)
            verify(store)
            data = assembly.data_module(cfg, store, assembly.folds_of(cfg, store)[0], 0)
            next(iter(data.train_dataloader()))

        first = seconds(start)
        again = [seconds(start) for _ in range(rounds)]
    print(f"\n{f'{SERIES:,} series of {BEFORE}':<28}{'s':>12}")
    print(f"{'first start (generates)':<28}{first:>12.2f}")
    print(f"{'second start, median':<28}{statistics.median(again):>12.2f}")
    print(f"{'second start, slowest':<28}{max(again):>12.2f}")


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, default=os.environ.get("ECGAN_MIRROR"))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    compare_lttb(given.rounds)
    second_start(given.rounds)
    if given.mirror is None:
        print("\nMIT-BIH left out: no --mirror and no ECGAN_MIRROR")
        return
    compare_mitbih(Path(given.mirror) / "mitbih" / "raw", given.rounds)


if __name__ == "__main__":
    main()
