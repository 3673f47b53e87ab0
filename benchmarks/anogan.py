"""How fast the search in latent space is: all series at once against one at a time, and how much memory it takes.

For each model with its default settings on series of the shape of ECG5000 (1 x 140), random weights (they change
nothing of what is computed), 100 gradient steps from one start per series, no early end, a pool of one. One at a time
is the same search on batches of one series, measured on a few and scaled to as many; both are measured in turns. The
operations of one step are counted, and their rate is set against that of multiplying two matrices of 1024 x 1024 on
this machine.

Memory is the peak of a process of its own that hands so many series to the scorer in one call.

Usage: ``python benchmarks/anogan.py [--models dcgan beatgan] [--series 2000] [--threads 2]``
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from models import SPEC, Machine, Operations, made
from torch import Tensor

from ecgan.detect.anogan import AnoGAN
from ecgan.models.base import Model
from ecgan.testing.scorers import InMemory

STEPS, FEW, BATCH = 100, 20, 512
MANY = 20_000


def searcher(steps: int = STEPS) -> AnoGAN:
    """A search without an early end, from one start."""
    scorer = AnoGAN(steps=steps, restarts=1, pool=1, tolerance=0.0, patience=10**6)
    torch.manual_seed(0)
    scorer.fit(torch.nn.Identity(), InMemory(some(100), torch.zeros(100, dtype=torch.int64)), torch.device("cpu"))
    return scorer


def some(n: int) -> Tensor:
    """Random series (n, C, T)."""
    return torch.randn(n, SPEC.channels, SPEC.seq_len, generator=torch.Generator().manual_seed(1))


def seconds(model: Model, scorer: AnoGAN, x: Tensor, batch: int) -> float:
    """Time of scoring series in batches."""
    start = time.perf_counter()
    with torch.no_grad():
        for part in torch.split(x, batch):
            scorer.score(model, part)
    return time.perf_counter() - start


def operations(model: Model) -> float:
    """Floating-point operations of one step of one series: those of a search of three steps, less those of two."""
    totals = []
    for steps in (2, 3):
        with Operations() as counted, torch.no_grad():
            searcher(steps).score(model, some(64))
        totals.append(counted.total)
    return (totals[1] - totals[0]) / 64


def peak(name: str, n: int) -> float:
    """Peak memory in MiB of a process that scores n series with ten steps each."""
    command = [sys.executable, __file__, "--memory-of", name, "--series", str(n)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent)
    return float(json.loads(done.stdout.splitlines()[-1]))


def score_and_tell(name: str, n: int) -> None:
    """Score n series in one call and print the peak memory of this process in MiB."""
    model, scorer = made(name).eval(), searcher(10)
    seconds(model, scorer, some(n), n)
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def measure(name: str, n: int) -> list[str]:
    """One row of the table."""
    model, scorer, machine = made(name).eval(), searcher(), Machine(0.5)
    seconds(model, searcher(2), some(BATCH), BATCH)  # warm up
    rates = [machine.rate("32-true")]
    alone = [seconds(model, scorer, some(FEW // 2), 1)]
    together = seconds(model, scorer, some(n), BATCH)
    alone.append(seconds(model, scorer, some(FEW // 2), 1))
    rates.append(machine.rate("32-true"))
    scaled = sum(alone) / FEW * n
    share = operations(model) * STEPS * n / together / (sum(rates) / 2)
    memory = [peak(name, n), peak(name, MANY)]
    return [
        name,
        f"{together:.1f} s",
        f"{1000 * together / n:.2f} ms",
        f"{scaled:.0f} s",
        f"{scaled / together:.1f}",
        f"{share:.0%}",
        f"{memory[0]:.0f} MiB",
        f"{memory[1]:.0f} MiB ({memory[1] / memory[0]:.2f})",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["dcgan", "rgan", "beatgan", "vae"])
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.memory_of:
        score_and_tell(given.memory_of, given.series)
        return
    head = ["model", f"{given.series:,} series", "each", "one at a time", "ratio", "of matmul", "memory"]
    print(f"| {' | '.join([*head, f'memory for {MANY:,}'])} |\n|{' --- |' * (len(head) + 1)}")
    for name in given.models:
        print(f"| {' | '.join(measure(name, given.series))} |", flush=True)


if __name__ == "__main__":
    main()
