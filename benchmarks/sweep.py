"""What a sweep costs beside the training: many jobs of about a second, two at a time, with joblib.

    python benchmarks/sweep.py [--jobs 100] [--workers 2]

The cost per job is the time of the whole command less the jobs' own seconds divided by the number of workers. Starting
Python and importing torch in the command and in its workers is part of it. Memory is the anonymous memory of the
command with its workers, at a quarter of the jobs and at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = (
    "dataset=sine",
    "dataset.n_series=1000",
    "dataset.seq_len=64",
    "split=holdout",
    "detector=[knn]",
    "generation.n=0",
    "trainer.figures=false",
    "trainer.progress_bar=false",
    "trainer.max_epochs=4",
    "trainer.accelerator=cpu",
)
PROGRAM = "from ecgan.cli import train; train()"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        launcher = ("hydra/launcher=joblib", f"hydra.launcher.n_jobs={given.workers}")
        words = ["-m", *SETTINGS, f"seed=range({given.jobs})", *launcher]
        wall_s, memory = measured(words, Path(folder), given.jobs)
        own_s = [json.loads(file.read_text())["seconds"] for file in Path(folder).rglob("job.json")]
        again_s, _ = measured(words, Path(folder), given.jobs)
    beside_s = (wall_s - sum(own_s) / given.workers) / given.jobs
    print("| what | |\n| --- | --- |")
    print(f"| jobs, workers | {len(own_s)}, {given.workers} |")
    print(f"| the whole command | {wall_s:.1f} s |")
    print(f"| a job's own time, mean | {sum(own_s) / len(own_s):.2f} s |")
    print(f"| launching and bookkeeping, per job | {beside_s:.3f} s |")
    print(f"| the same command again, all jobs finished | {again_s:.1f} s |")
    print(f"| memory at a quarter of the jobs, at the end | {memory[0]:.0f} MiB, {memory[1]:.0f} MiB |")


def measured(words: list[str], folder: Path, jobs: int) -> tuple[float, tuple[float, float]]:
    """Seconds of a command, and its memory at a quarter of the jobs and at the end, in MiB."""
    seen: list[tuple[int, float]] = []
    started = time.perf_counter()
    command = [sys.executable, "-c", PROGRAM, *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        done = 0
        for line in process.stdout:
            done += ": finished in " in line
            seen.append((done, memory_of(process.pid)))
    wall_s = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"the sweep failed with {process.returncode}")
    full = [size for done, size in seen if done and size > 0]
    quarter = next((size for done, size in seen if done >= jobs / 4), 0.0)
    last = next((size for done, size in seen if done >= jobs), full[-1] if full else 0.0)
    return wall_s, (quarter, last)


def memory_of(pid: int) -> float:
    """Anonymous memory of a process and of all below it, in MiB."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        parents[int(fields["Pid"])] = (int(fields["PPid"]), int(fields.get("RssAnon", "0 kB").split()[0]))
    family = {pid}
    while more := {child for child, (parent, _) in parents.items() if parent in family} - family:
        family |= more
    return sum(parents[member][1] for member in family if member in parents) / 1024


if __name__ == "__main__":
    os.environ.pop("ECGAN_MIRROR", None)
    main()
