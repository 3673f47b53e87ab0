"""Our own sides: ``python -m versus.ours JOB JSON``, where JOB is a function of this file; prints JSON.

All clocks count the processor's seconds, of all threads: other work on the machine lengthens them less.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from pytorch_lightning import Callback, seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint
from rich.console import Console
from sklearn.metrics import roc_auc_score

from ecgan import assembly, engine
from ecgan.config import build, compose
from ecgan.data.datamodule import DataModule
from ecgan.detect.anogan import AnoGAN
from ecgan.detect.scorers import Reconstruction
from ecgan.models.autoencoder import Autoencoder
from ecgan.models.base import Model
from ecgan.models.gan import GAN
from ecgan.track.metrics_file import MetricsFile
from ecgan.track.progress import FoldProgress
from ecgan.types import Scorer
from versus.dense import DenseAutoencoder, DenseCritic, DenseGenerator
from versus.work import CLASSES, DETECTION, composed, opened, words

Given = dict[str, Any]
Found = dict[str, Any]


class Epochs(Callback):
    """Seconds of each training epoch up to its last step, so without validation."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start the clock."""
        self.seconds.append(0.0)
        self._start = time.process_time()

    def on_train_batch_end(self, *_: Any) -> None:
        """Look at it."""
        self.seconds[-1] = time.process_time() - self._start


def fit(cfg: DictConfig, model: Model, data: DataModule) -> Found:
    """Train as ``ecgan-train`` does, and take the best weights: seconds of an epoch and of all."""
    epochs = Epochs()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        best = ModelCheckpoint(folder, "best", model.monitor, enable_version_counter=False)
        last = ModelCheckpoint(folder, "last", enable_version_counter=False)
        progress = FoldProgress("fold 0", Console(quiet=True), model.monitor)
        detection = assembly.detection(cfg, data, folder / "detection", 0)
        trainer = engine.make_trainer(cfg, folder, [best, last, detection, progress, epochs], MetricsFile(folder))
        start = time.process_time()
        trainer.fit(model, data)
        taken = time.process_time() - start
        model.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])
    model.eval()
    return {"epoch": statistics.median(epochs.seconds[1:] or epochs.seconds), "fit": taken}


def score(model: Model, scorer: Scorer, data: DataModule) -> tuple[float, float]:
    """Seconds of scoring a series, and the AUROC of the test part."""
    scorer.fit(model, data.training_normals(), torch.device("cpu"))
    start, found = time.process_time(), []
    with torch.no_grad():
        found = [(scorer.score(model, batch.x), batch.y != 0) for batch in data.test_dataloader()]
    taken = (time.process_time() - start) / len(data.fold.test)
    scores, abnormal = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return taken, float(roc_auc_score(abnormal, scores))


def prepared(settings: tuple[str, ...], given: Given) -> tuple[DictConfig, DataModule]:
    """Settings and loaders, with everything seeded."""
    cfg = composed(settings, given)
    data = opened(cfg)
    seed_everything(given["seed"], verbose=False)
    return cfg, data


def autoencoder(given: Given, dense: bool = False) -> Found:
    """The suite's autoencoder, or its training rule with PyOD's network; reconstruction error (l2)."""
    cfg, data = prepared((*DETECTION, f"data.eval_batch_size={given['eval_batch']}"), given)
    if dense:
        network = partial(DenseAutoencoder, hidden=given["hidden"], dropout=given["dropout"])
        optimizer = partial(torch.optim.Adam, lr=given["lr"], weight_decay=given["weight_decay"])
        model: Model = Autoencoder(data.spec, network, optimizer)
    else:
        model = build(cfg.model, spec=data.spec)
    found = fit(cfg, model, data)
    scored = [score(model, Reconstruction("l2"), data) for _ in range(5)]
    return found | {"score": 1e6 * statistics.median(taken for taken, _ in scored), "auroc": scored[0][1]}


def anogan(given: Given, dense: bool = False) -> Found:
    """The suite's DCGAN, or its training rule with PyOD's networks; search without an early end."""
    cfg, data = prepared((*DETECTION, "model=dcgan", "detector=anogan"), given)
    if dense:
        adam = partial(torch.optim.Adam, lr=given["lr"])
        generator = partial(DenseGenerator, latent=given["latent"], hidden=given["generator"])
        critic = partial(DenseCritic, hidden=given["critic"])
        model: Model = GAN(data.spec, generator, critic, adam, adam)
    else:
        model = build(cfg.model, spec=data.spec)
    found = fit(cfg, model, data)
    data.fold = replace(data.fold, test=data.fold.test[:: given["every"]])
    scorer = AnoGAN(steps=given["steps"], restarts=1, tolerance=0.0, patience=10**6)
    taken, auroc = score(model, scorer, data)
    return found | {"search": 1e3 * taken, "auroc": auroc}


def inception_time(given: Given) -> Found:
    """One member, with plain Adam at a constant rate."""
    adam = f"{{_target_:torch.optim.Adam,_partial_:true,lr:{given['lr']},weight_decay:0.0}}"
    sizes = (f"data.eval_batch_size={given['batch']}", "model.members=1")
    settings = (*CLASSES, *sizes, f"model.optimizer={adam}", "model.scheduler=null")
    cfg, data = prepared(settings, given)
    model = build(cfg.model, spec=data.spec)
    found = fit(cfg, model, data)
    with torch.no_grad():
        model.classify(next(iter(data.test_dataloader())).x)
        start = time.process_time()
        right = [(model.classify(batch.x).argmax(1) == batch.y).numpy() for batch in data.test_dataloader()]
        taken = time.process_time() - start
    weights = sum(parameter.numel() for parameter in model.parameters())
    n = len(data.fold.test)
    return found | {"classify": 1e3 * taken / n, "accuracy": float(np.concatenate(right).mean()), "weights": weights}


def loading(given: Given) -> Found:
    """A set of the UCR archive from its text files into a store, and from the store into memory."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ["dataset=ucr", "dataset.name=ECG5000", f"paths.data={folder}", f"paths.mirror={given['mirror']}"]
        cfg = compose(settings)

        def seconds() -> tuple[float, list[int]]:
            start = time.process_time()
            loaded = np.array(assembly.open_data(cfg).data)
            return time.process_time() - start, list(loaded.shape)

        first, shape = seconds()
        again = statistics.median(seconds()[0] for _ in range(3))
    return {"first": first, "again": again, "shape": shape}


def whole(given: Given) -> Found:
    """A command as a user gives it, from the start of its process to its end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("ecgan-train")), *words(DETECTION, given), "generation.n=0"]
        subprocess.run([*command, f"hydra.run.dir={folder}/run"], check=True, stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        file = Path(folder, "run", "fold_0", "detection", "reconstruction", "metrics.json")
        auroc = json.loads(file.read_text(encoding="utf-8"))["auroc"]
    return {"whole": used.ru_utime + used.ru_stime, "auroc": auroc}


JOBS: dict[str, Callable[[Given], Found]] = {
    "autoencoder": autoencoder,
    "autoencoder_dense": partial(autoencoder, dense=True),
    "anogan": anogan,
    "anogan_dense": partial(anogan, dense=True),
    "inception_time": inception_time,
    "loading": loading,
    "whole": whole,
}


def main() -> None:
    """Do the job and print what was found."""
    job, given = sys.argv[1:]
    torch.set_num_threads(1)
    with engine.quiet():
        found = JOBS[job](json.loads(given))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
