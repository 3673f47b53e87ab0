"""What a second device brings: seconds of an epoch with one CPU process and with two of one thread each.

The fits of few and of more epochs are subtracted, so that starting the processes does not count as training; it is in a
column of its own. Both numbers of devices run in turn, so that a busy machine slows both.

Usage: ``python benchmarks/devices.py [--models autoencoder resnet1d] [--rounds 3] [key=value ...]``
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from ecgan.config import compose
from ecgan.experiment import run

FEW, MORE = 1, 4
DEVICES = (1, 2)
SETTINGS = (
    "dataset=ecg5000",
    "split=holdout",
    "data.batch_size=128",
    "detector=none",
    "generation.n=0",
    "trainer.accelerator=cpu",
    "trainer.threads=1",
    "trainer.figures=false",
    "trainer.progress_bar=false",
)


def fit_s(model: str, devices: int, epochs: int, extra: list[str]) -> float:
    """Seconds of a fit, with the start of its processes."""
    chosen = [*SETTINGS, f"model={model}", f"trainer.devices={devices}", f"trainer.max_epochs={epochs}", *extra]
    with tempfile.TemporaryDirectory() as folder:
        run(compose([*chosen, f"paths.data={Path(tempfile.gettempdir()) / 'ecgan_devices'}"]), Path(folder) / "run")
        facts = json.loads((Path(folder) / "run" / "run.json").read_text(encoding="utf-8"))
    return float(facts["folds"]["fold_0"]["fit_s"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["autoencoder", "beatgan", "resnet1d"])
    parser.add_argument("--rounds", type=int, default=3)
    given, extra = parser.parse_known_args()
    print("| model | epoch on 1 device, s | on 2 devices, s | ratio | starting the second one, s |\n|" + " --- |" * 5)
    for model in given.models:
        epoch: dict[int, list[float]] = {devices: [] for devices in DEVICES}
        start: dict[int, list[float]] = {devices: [] for devices in DEVICES}
        for _ in range(given.rounds):
            for devices in DEVICES:
                few, more = (fit_s(model, devices, epochs, extra) for epochs in (FEW, MORE))
                epoch[devices].append((more - few) / (MORE - FEW))
                start[devices].append(few - epoch[devices][-1])
        one, two = (statistics.median(epoch[devices]) for devices in DEVICES)
        starting = statistics.median(start[2]) - statistics.median(start[1])
        print(f"| `{model}` | {one:.2f} | {two:.2f} | {two / one:.2f} | {starting:.1f} |", flush=True)


if __name__ == "__main__":
    main()
