"""Where the time of ``ecgan-train`` goes: shares of the samples that py-spy takes of a whole command.

A sample belongs to the first part below whose function is on its stack, so parts do not overlap and add up to all of
the time in which the main thread works, from the start of Python to the end of the command. Where it waits, for a
disk or another process, py-spy takes no sample.

Usage: ``python benchmarks/where_time_goes.py [ecgan-train settings]``, for example ``model=beatgan``.
It needs py-spy.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

PARTS: tuple[tuple[str, str], ...] = (
    ("importing modules", r"_find_and_load \("),
    ("figures", r"\(ecgan/figures\.py|\(ecgan/evaluate/plots|\(matplotlib/"),
    ("judging what was generated", r"\(ecgan/(evaluate/generation|generate)/"),
    ("detector {0}: fit", r".*fit \(ecgan/detect/(?!callback|detector)(\w+)\.py"),
    ("detector {0}: scores", r".*score \(ecgan/detect/(?!callback|detector)(\w+)\.py"),
    ("bootstrap intervals", r"\(ecgan/evaluate/(?:class_)?uncertainty\.py"),
    ("thresholds and metrics", r"\(ecgan/(?:detect|classify|evaluate)/"),
    ("checkpoints", r"\(ecgan/checkpointing\.py|save_checkpoint \("),
    ("training: validation", r"\(pytorch_lightning/loops/evaluation_loop\.py"),
    ("training: backward", r"_engine_run_backward \("),
    ("training: forward and loss", r"training_step \(ecgan/"),
    ("training: batches", r"\(ecgan/data/"),
    ("training: optimizer", r"\(torch/optim/"),
    ("training: the loop around", r"\(pytorch_lightning/"),
    ("report", r"\(ecgan/report/"),
    ("composing and checking settings", r"\((?:hydra|omegaconf)/"),
    ("everything else", r""),
)


def part_of(stack: str) -> str:
    """The part that a stack, outermost frame first, belongs to."""
    for name, pattern in PARTS:
        if found := re.search(pattern, stack):
            return name.format(*found.groups())
    raise AssertionError(stack)


def counted(lines: list[str]) -> Counter[str]:
    """Samples of each part in the main thread; a line is a stack and how often it was seen."""
    total: Counter[str] = Counter()
    for line in lines:
        stack, _, times = line.rpartition(" ")
        if "_bootstrap (threading.py" not in stack:
            total[part_of(stack)] += int(times)
    return total


def main() -> None:
    """Run the command once under py-spy and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks.txt"
        here = Path(sys.executable).parent
        fixed = [f"hydra.run.dir={folder}/run", "trainer.progress_bar=false"]
        command = [str(here / "ecgan-train"), *sys.argv[1:], *fixed]
        spy = [str(here / "py-spy"), "record", "--format", "raw", "--rate", "50", "--output", str(file), "--"]
        start = time.perf_counter()
        subprocess.run([*spy, *command], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        if not (Path(folder) / "run" / "summary.json").is_file():  # py-spy does not tell
            sys.exit("The command did not finish; nothing was measured.")
        lines = file.read_text(encoding="utf-8").splitlines()
    total = counted(lines)
    samples = sum(total.values())
    print(f"{seconds:.0f} s, {samples} samples\n\n| part | share |\n| --- | --- |")
    for name, times in total.most_common():
        if times >= samples / 200:
            print(f"| {name} | {times / samples:.1%} |")


if __name__ == "__main__":
    main()
