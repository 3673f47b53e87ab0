"""Choose the LSTM autoencoder's settings from training and validation normals alone.

No abnormal beat and no test beat takes part: the validation normals are distorted in six ways, and the settings are
preferred whose score best separates distorted from undistorted ones (the idea of Goswami et al. 2023, Unsupervised
Model Selection for Time-series Anomaly Detection, arXiv:2210.01078).

Usage: ``python benchmarks/choose_settings.py [--seeds 0 1] [--latent 8 16 32 64] [--batch 32 64]``
"""

from __future__ import annotations

import argparse
import itertools
import tempfile

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from ecgan.assembly import data_module, folds_of, open_data
from ecgan.config import compose
from ecgan.losses import reconstruction_error
from ecgan.networks.recurrent import LSTMAutoencoderNet

EPOCHS = (5, 10, 15, 20, 30, 40)


def distorted(x: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Six distortions of series (N, 1, T), each keeping their scale."""
    n, _, t = x.shape
    start = rng.integers(0, t * 3 // 4, n)
    window = (np.arange(t) >= start[:, None]) & (np.arange(t) < start[:, None] + t // 4)
    spread = x.std(axis=2, keepdims=True)
    shift = rng.integers(t // 20, t // 6, n) * rng.choice([-1, 1], n)
    rolled = np.stack([np.roll(series, step, axis=-1) for series, step in zip(x, shift, strict=True)])
    bump = np.exp(-(((np.arange(t) - start[:, None] - t / 8) / (t / 24)) ** 2))[:, None]
    stretched = np.stack([np.interp(np.linspace(0, t * 0.85, t), np.arange(t), series[0])[None] for series in x])
    return {
        "shifted": rolled,
        "bump": x + bump * spread * rng.choice([-1, 1], (n, 1, 1)),
        "flat": np.where(window[:, None], x.mean(axis=2, keepdims=True), x),
        "mirrored": np.where(window[:, None], -x, x),
        "stretched": stretched,
        "swapped": np.where(window[:, None], x[rng.permutation(n)][..., ::-1], x),
    }


def scores(net: LSTMAutoencoderNet, x: np.ndarray) -> np.ndarray:
    """Anomaly score of each series."""
    with torch.no_grad():
        series = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
        return reconstruction_error(series, net(series), "l1").numpy()


def trial(train: torch.Tensor, val: np.ndarray, latent: int, batch: int, seed: int) -> list[dict[str, float]]:
    """Train once and judge after several numbers of epochs."""
    torch.manual_seed(seed)
    net = LSTMAutoencoderNet(1, train.shape[-1], latent)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    kinds = distorted(val, np.random.default_rng(seed))
    rows = []
    for epoch in range(1, max(EPOCHS) + 1):
        for positions in torch.split(torch.randperm(len(train)), batch):
            loss = reconstruction_error(train[positions], net(train[positions]), "l1").mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch in EPOCHS:
            normal = scores(net, val)
            truth = np.repeat([0, 1], len(val))
            aurocs = {kind: roc_auc_score(truth, np.concatenate([normal, scores(net, x)])) for kind, x in kinds.items()}
            mean = float(np.mean(list(aurocs.values())))
            setting = {"latent": latent, "batch": batch, "epochs": epoch, "seed": seed, "val_loss": normal.mean()}
            rows.append(setting | aurocs | {"mean": mean})
    return rows


def main() -> None:
    """Print the mean AUROC against distorted validation normals for each setting, best last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--latent", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 64])
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed, latent, batch in itertools.product(given.seeds, given.latent, given.batch):
            cfg = compose(["experiment=lstm_autoencoder_tutorial", f"seed={seed}", f"paths.data={folder}"])
            store = open_data(cfg)
            fold = folds_of(cfg, store)[0]
            data = data_module(cfg, store, fold, seed)
            train = data.part(fold.train).__getitems__(list(range(len(fold.train)))).x
            val = data.part(fold.val).__getitems__(list(range(len(fold.val)))).x.numpy()
            rows += trial(train, val, latent, batch, seed)
            print(pd.DataFrame(rows[-len(EPOCHS) :]).round(4).to_string(index=False), flush=True)
    table = pd.DataFrame(rows).groupby(["latent", "batch", "epochs"])[["val_loss", "mean"]].mean()
    print(table.sort_values("mean").round(4).to_string())


if __name__ == "__main__":
    main()
