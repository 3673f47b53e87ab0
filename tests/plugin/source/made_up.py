"""Write made-up patients for ``dataset=ward``: ``python made_up.py data/ward/raw``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

PATIENTS, BEATS, SAMPLES = 20, 12, 100


def write(folder: Path) -> None:
    """Write a list of patients, every fourth of them ill, and their beats; those of the ill are twice as fast."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["patient,diagnosis"]
    for number in range(PATIENTS):
        ill = number % 4 == 0
        phase = rng.uniform(0, 6, (BEATS, 1))
        beats = np.sin(np.linspace(0, 25 if ill else 12, SAMPLES) + phase) + 0.1 * rng.normal(size=(BEATS, SAMPLES))
        np.savetxt(folder / f"p{number:02d}.csv", beats, delimiter=",", fmt="%.4f")
        lines.append(f"p{number:02d},{'ill' if ill else 'healthy'}")
    (folder / "patients.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
