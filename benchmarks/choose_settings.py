"""Choose the LSTM autoencoder's settings on other patients than the one of ECG5000.

The beats of single MIT-BIH records, each with many premature ventricular contractions, stand in for ECG5000: cut from
one R peak to the next, interpolated to 140 samples and z-normalised as the archive did. For each record the network
trains on its normal beats, and the settings are preferred whose score separates held-out normal beats from ventricular
ones best, over all records. No beat of ECG5000 takes part.

Usage: ``python benchmarks/choose_settings.py MITBIH_FOLDER [--latent 32 64] [--batch 16 32 64]``
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import wfdb
from sklearn.metrics import roc_auc_score

from ecgan.losses import reconstruction_error
from ecgan.networks.recurrent import LSTMAutoencoderNet

RECORDS = ("106", "200", "221", "233")
EPOCHS = (10, 20, 30)
LENGTH = 140


def beats(folder: Path, record: str) -> tuple[np.ndarray, np.ndarray]:
    """Normal and ventricular beats (n, 140) of the first lead."""
    signal = wfdb.rdrecord(str(folder / record), channels=[0]).p_signal[:, 0]
    notes = wfdb.rdann(str(folder / record), "atr")
    marks = [(s, k) for s, k in zip(notes.sample, notes.symbol, strict=True) if k in "NLRBAaJSVrFejnE/fQ?"]
    cut: dict[str, list[np.ndarray]] = {"N": [], "V": []}
    for (start, kind), (end, _) in itertools.pairwise(marks):
        if kind in cut and 72 < end - start < 720:  # 0.2 to 2 s
            beat = np.interp(np.linspace(start, end - 1, LENGTH), np.arange(start, end), signal[start:end])
            cut[kind].append((beat - beat.mean()) / beat.std())
    return np.stack(cut["N"]), np.stack(cut["V"])


def scores(net: LSTMAutoencoderNet, train: torch.Tensor, held: torch.Tensor) -> dict[str, np.ndarray]:
    """Candidates for the score: mean absolute and squared error, and the absolute error in units of what is usual."""
    with torch.no_grad():
        usual = (train - net(train)).abs().mean(0)
        residual = (held - net(held)).abs()
    return {
        "l1": residual.mean((1, 2)).numpy(),
        "l2": residual.square().mean((1, 2)).numpy(),
        "l1 / usual": (residual / usual).mean((1, 2)).numpy(),
    }


def trial(train: torch.Tensor, held: torch.Tensor, truth: np.ndarray, latent: int, batch: int) -> list[dict[str, Any]]:
    """Train once and judge after several numbers of epochs."""
    torch.manual_seed(0)
    net = LSTMAutoencoderNet(1, LENGTH, latent)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    rows: list[dict[str, Any]] = []
    for epoch in range(1, max(EPOCHS) + 1):
        for positions in torch.split(torch.randperm(len(train)), batch):
            loss = reconstruction_error(train[positions], net(train[positions]), "l1").mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch in EPOCHS:
            setting = {"latent": latent, "batch": batch, "epochs": epoch}
            for name, score in scores(net, train, held).items():
                rows.append(setting | {"score": name, "auroc": float(roc_auc_score(truth, score))})
    return rows


def main() -> None:
    """Print the AUROC of each setting, mean and worst over the records, best last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with 100.dat, 100.hea, 100.atr, …")
    parser.add_argument("--latent", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--batch", type=int, nargs="+", default=[16, 32, 64])
    given = parser.parse_args()
    rows = []
    for record in RECORDS:
        normal, ventricular = beats(given.folder, record)
        rng = np.random.default_rng(0)
        normal = normal[rng.permutation(len(normal))].astype(np.float32)
        n_train = len(normal) * 85 // 100
        train = torch.from_numpy(normal[:n_train])[:, None]
        held = torch.from_numpy(np.concatenate([normal[n_train:], ventricular.astype(np.float32)]))[:, None]
        truth = np.repeat([0, 1], [len(normal) - n_train, len(ventricular)])
        for latent, batch in itertools.product(given.latent, given.batch):
            found = trial(train, held, truth, latent, batch)
            rows += [row | {"record": record} for row in found]
            print(record, len(train), latent, batch, *(f"{row['auroc']:.4f}" for row in found), flush=True)
    table = pd.DataFrame(rows).groupby(["latent", "batch", "epochs", "score"])["auroc"].agg(["mean", "min"])
    print(table.sort_values("mean").round(4).to_string())


if __name__ == "__main__":
    main()
