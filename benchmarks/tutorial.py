"""The tutorial's own training loop against the experiment that replaces it, measured in one run.

The tutorial trains one series at a time (batch size 1, L1 sum, Adam 1e-3, layers of 256 and 128 units) for 150 epochs
over 2,481 beats and validates on 293 after each. A few hundred of its steps are timed here and scaled. The experiment
is timed whole, as a user sees it: from the start of the process to the end of detection.

Usage: ``python benchmarks/tutorial.py [--steps 300]``
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

EPOCHS, TRAIN, VAL, LENGTH = 150, 2481, 293, 140


class SeriesBySeries(nn.Module):
    """The tutorial's network: two LSTM layers in, two out, one sample a step, one series a call."""

    def __init__(self, embedding: int = 128) -> None:
        super().__init__()
        self.wide_in = nn.LSTM(1, 2 * embedding, batch_first=True)
        self.narrow_in = nn.LSTM(2 * embedding, embedding, batch_first=True)
        self.narrow_out = nn.LSTM(embedding, embedding, batch_first=True)
        self.wide_out = nn.LSTM(embedding, 2 * embedding, batch_first=True)
        self.output = nn.Linear(2 * embedding, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct one series (T, 1)."""
        hidden, _ = self.wide_in(x[None])
        _, (last, _) = self.narrow_in(hidden)
        repeated = last[-1].repeat(len(x), 1)[None]
        hidden, _ = self.narrow_out(repeated)
        hidden, _ = self.wide_out(hidden)
        return self.output(hidden[0])


def tutorial_seconds(steps: int) -> tuple[float, float]:
    """Measured seconds per training step and per validation step."""
    torch.manual_seed(0)
    net = SeriesBySeries()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.L1Loss(reduction="sum")
    series = torch.randn(steps + 10, LENGTH, 1)  # the time of a step does not depend on the values
    for i, x in enumerate(series):
        if i == 10:
            start = time.perf_counter()
        optimizer.zero_grad()
        loss = criterion(net(x), x)
        loss.backward()
        optimizer.step()
        loss.item()
    trained = time.perf_counter()
    with torch.no_grad():
        for x in series[:steps]:
            criterion(net(x), x).item()
    return (trained - start) / steps, (time.perf_counter() - trained) / steps


def experiment_seconds(folder: str) -> float:
    """Seconds of the whole process, to finished detection."""
    command = [str(Path(sys.executable).with_name("ecgan-train")), "experiment=lstm_autoencoder_tutorial"]
    start = time.perf_counter()
    subprocess.run([*command, "trainer.figures=false"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    steps = parser.parse_args().steps
    before = tutorial_seconds(steps)
    with tempfile.TemporaryDirectory() as folder:
        ours = experiment_seconds(folder)
    after = tutorial_seconds(steps)  # once more afterwards: machines change their speed
    train, val = ((a + b) / 2 for a, b in zip(before, after, strict=True))
    theirs = EPOCHS * (TRAIN * train + VAL * val)
    print(
        f"tutorial: {train * 1e3:.1f} ms per step, {theirs:.0f} s for {EPOCHS} epochs (scaled from {2 * steps} steps)"
    )
    print(f"ecgan-train experiment=lstm_autoencoder_tutorial: {ours:.1f} s from start to finished detection")
    print(f"ratio: {theirs / ours:.0f}")


if __name__ == "__main__":
    main()
