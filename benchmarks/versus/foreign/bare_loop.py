"""The whole of a small study by hand: load, scale, train, keep the best weights, score, threshold; nothing else.

Runs with our interpreter and borrows the network: ``python bare_loop.py JSON``, prints JSON. The clock counts from the
start of the process, imports included.
"""

from __future__ import annotations

import copy
import json
import sys
import time

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from ecgan.networks.autoencoders import ConvAutoencoderNet
from ecgan.types import DataSpec


def main() -> None:
    """Do it and tell."""
    given = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    torch.manual_seed(given["seed"])
    data = np.load(given["data"])
    train, val, test = (torch.from_numpy(data[part])[:, None] for part in ("train", "val", "test"))
    net = ConvAutoencoderNet(DataSpec(train.shape[2], 1, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, given["epochs"])
    best, weights = float("inf"), net.state_dict()
    for _ in range(given["epochs"]):
        net.train()
        for index in torch.split(torch.randperm(len(train)), given["batch"]):
            loss = (net(train[index]) - train[index]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        net.eval()
        with torch.no_grad():
            held_out = float((net(val) - val).square().mean())
        if held_out < best:
            best, weights = held_out, copy.deepcopy(net.state_dict())
    net.load_state_dict(weights)
    with torch.no_grad():
        score = torch.cat([(net(x) - x).abs().mean((1, 2)) for x in torch.split(test, 512)]).numpy()
        threshold = np.quantile((net(val) - val).abs().mean((1, 2)).numpy(), 0.98)
    auroc = roc_auc_score(data["abnormal"], score)
    whole = time.process_time()
    print(json.dumps({"whole": whole, "auroc": auroc, "threshold": float(threshold), "versions": torch.__version__}))


if __name__ == "__main__":
    main()
