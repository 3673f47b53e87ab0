"""How long ``--help`` takes, beside the imports that no Hydra program can do without.

Usage: ``python benchmarks/startup.py [--rounds 10]``
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path


def seconds(command: list[str]) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def script(name: str) -> str:
    """Console script of this environment."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name


def main() -> None:
    """Print the median of each command, run in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    commands = {
        'python -c "import hydra, numpy"': [sys.executable, "-c", "import hydra, numpy"],
        "ecgan-train --help": [script("ecgan-train"), "--help"],
        "ecgan-init --help": [script("ecgan-init"), "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, command in commands.items():
            times[name].append(seconds(command))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    reference = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{name:<34}{median:8.3f} s   ratio {median / reference:.2f}")


if __name__ == "__main__":
    main()
