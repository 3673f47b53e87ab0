"""PyOD's AnoGAN: milliseconds of a search per series, seconds of an epoch, and the AUROC of ``decision_function``.

``fit`` searches for the latent vector of each training series, one after the other; ``decision_function`` does not
search. So the time of the search is what ``fit`` takes with many steps less what it takes with one.

Runs with PyOD's own interpreter: ``python pyod_anogan.py JSON``, prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import pyod
import torch
from pyod.models.anogan import AnoGAN
from sklearn.metrics import roc_auc_score


def fitted(given: dict[str, Any], train: np.ndarray, **settings: Any) -> tuple[AnoGAN, float]:
    """A fitted detector, and the seconds that took."""
    torch.manual_seed(given["seed"])
    networks = {"latent_dim_G": given["latent"], "G_layers": given["generator"], "D_layers": given["critic"]}
    rates = {"learning_rate": given["lr"], "learning_rate_query": given["search_lr"], "batch_size": given["batch"]}
    detector = AnoGAN(dropout_rate=0.0, **networks, **rates, **settings)
    start = time.process_time()
    detector.fit(train)
    return detector, time.process_time() - start


def main() -> None:
    """Search, fit, score, tell."""
    given = json.loads(sys.argv[1])
    data = np.load(given["data"])
    torch.set_num_threads(1)
    few, steps = data["train"][: given["searched"]], given["steps"]
    taken = [fitted(given, few, epochs=1, epochs_query=n)[1] for n in (1, steps + 1)]
    detector, _ = fitted(given, data["train"], epochs=given["epochs"], epochs_query=given["fit_steps"])
    score = detector.decision_function(data["test"][:: given["every"]])
    found = {
        "search": 1e3 * (taken[1] - taken[0]) / len(few),
        "auroc": roc_auc_score(data["abnormal"][:: given["every"]], score),
        "versions": f"pyod {pyod.__version__}, torch {torch.__version__}",
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
