"""Raw files for the source of the example package ``tests/plugin/source``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

PATIENTS, BEATS, SAMPLES = 20, 12, 100


def write_ward(raw: Path) -> None:
    """Write a list of patients, every fourth of them ill, and their beats; those of the ill are twice as fast."""
    rng = np.random.default_rng(0)
    raw.mkdir(parents=True)
    lines = ["patient,diagnosis"]
    for number in range(PATIENTS):
        ill = number % 4 == 0
        phase = rng.uniform(0, 6, (BEATS, 1))
        beats = np.sin(np.linspace(0, 25 if ill else 12, SAMPLES) + phase) + 0.1 * rng.normal(size=(BEATS, SAMPLES))
        np.savetxt(raw / f"p{number:02d}.csv", beats, delimiter=",", fmt="%.4f")
        lines.append(f"p{number:02d},{'ill' if ill else 'healthy'}")
    (raw / "patients.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
