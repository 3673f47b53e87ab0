"""Write made-up tables to try things with: my.csv with labels and patients, new.csv without."""

from __future__ import annotations

import numpy as np
import pandas as pd

SAMPLES = 40


def waves(patients: int, each: int, seed: int) -> pd.DataFrame:
    """Noisy waves, one row each; every fourth patient is ill, and the waves of the ill are faster."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), each)
    ill = patient % 4 == 0
    angle = np.where(ill, 5.0, 2.0)[:, None] * np.linspace(0, 2 * np.pi, SAMPLES) + rng.uniform(0, 1, (len(ill), 1))
    x = np.sin(angle) + 0.1 * rng.normal(size=angle.shape)
    table = pd.DataFrame(x, columns=[f"s{i}" for i in range(SAMPLES)]).round(4)
    return table.assign(patient=[f"p{number}" for number in patient], diagnosis=np.where(ill, "ill", "healthy"))


if __name__ == "__main__":
    waves(patients=24, each=10, seed=0).to_csv("my.csv", index=False)
    waves(patients=8, each=5, seed=1).drop(columns=["patient", "diagnosis"]).to_csv("new.csv", index=False)
