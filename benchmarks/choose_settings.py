"""How the settings of the LSTM autoencoder were chosen: by the loss of validation normals, never by detection.

Trains on the tutorial's training normals with each setting and prints the mean absolute error of its 293 validation
normals, smallest last. No abnormal beat and no test beat is read.

Usage: ``python benchmarks/choose_settings.py [--lr 0.001 0.005] [--batch 32 64] [--epochs 20] [--seeds 0 1]``
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time

import pandas as pd
import torch

from ecgan.assembly import data_module, folds_of, open_data
from ecgan.config import compose
from ecgan.losses import reconstruction_error
from ecgan.networks.recurrent import LSTMAutoencoderNet
from ecgan.types import DataSpec, Series


def validation_loss(train: Series, val: Series, lr: float, batch: int, epochs: int, seed: int) -> float:
    """Train once; mean absolute error of the validation normals after the last epoch."""
    x = train.__getitems__(list(range(len(train)))).x
    held = val.__getitems__(list(range(len(val)))).x
    torch.manual_seed(seed)
    net = LSTMAutoencoderNet(DataSpec(x.shape[2], x.shape[1], 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for positions in torch.split(torch.randperm(len(x)), batch):
            loss = reconstruction_error(x[positions], net(x[positions]), "l1").mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        return float(reconstruction_error(held, net(held), "l1").mean())


def main() -> None:
    """Print one row per setting and seed, then the mean over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, nargs="+", default=[0.001, 0.003, 0.005])
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--epochs", type=int, nargs="+", default=[20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cfg = compose(["experiment=lstm_autoencoder_tutorial", f"paths.data={folder}"])
        store = open_data(cfg)
        fold = folds_of(cfg, store)[0]
        data = data_module(cfg, store, fold, 0)
        train, val = data.part(fold.train), data.part(fold.val)
        for lr, batch, epochs, seed in itertools.product(given.lr, given.batch, given.epochs, given.seeds):
            start = time.perf_counter()
            loss = validation_loss(train, val, lr, batch, epochs, seed)
            rows.append({"lr": lr, "batch": batch, "epochs": epochs, "seed": seed, "val_loss": loss})
            print(f"{rows[-1]} in {time.perf_counter() - start:.0f} s", flush=True)
    table = pd.DataFrame(rows).groupby(["lr", "batch", "epochs"])["val_loss"].mean()
    print(table.sort_values(ascending=False).round(4).to_string())


if __name__ == "__main__":
    main()
