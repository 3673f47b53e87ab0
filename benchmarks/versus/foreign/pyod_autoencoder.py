"""PyOD's autoencoder: seconds of an epoch and of the whole fit, of scoring, and the scores' AUROC.

Runs with PyOD's own interpreter: ``python pyod_autoencoder.py JSON``, prints JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import numpy as np
import pyod
import torch
from pyod.models.auto_encoder import AutoEncoder
from sklearn.metrics import roc_auc_score


class Timed(AutoEncoder):
    """Remembers when each epoch ended."""

    def epoch_update(self) -> None:
        """Look at the clock."""
        self.ended = [*getattr(self, "ended", []), time.process_time()]


def detector(given: dict[str, Any], epochs: int) -> Timed:
    """As the work asks for it."""
    return Timed(
        preprocessing=False,
        lr=given["lr"],
        epoch_num=epochs,
        batch_size=given["batch"],
        random_state=given["seed"],
        verbose=0,
        hidden_neuron_list=given["hidden"],
        dropout_rate=given["dropout"],
        optimizer_params={"weight_decay": given["weight_decay"]},
    )


def main() -> None:
    """Fit, score, tell."""
    given = json.loads(sys.argv[1])
    data = np.load(given["data"])
    torch.set_num_threads(1)
    detector(given, 1).fit(data["train"][: 2 * given["batch"]])  # what is imported at first use is outside the clock
    timed = detector(given, given["epochs"])
    start = time.process_time()
    timed.fit(data["train"])
    fit = time.process_time() - start
    scoring = []
    for _ in range(5):
        start = time.process_time()
        score = timed.decision_function(data["test"], batch_size=given["eval_batch"])
        scoring.append((time.process_time() - start) / len(data["test"]))
    found = {
        "epoch": statistics.median(np.diff(timed.ended)),
        "fit": fit,
        "score": 1e6 * statistics.median(scoring),
        "auroc": roc_auc_score(data["abnormal"], score),
        "versions": f"pyod {pyod.__version__}, torch {torch.__version__}",
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
