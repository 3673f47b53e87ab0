"""Run directories as finished runs leave them, without a training: what reports over many runs read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgan.files import digest, write_json, write_text

CONFIG = """seed: {seed}
paths:
  data: data
data:
  batch_size: 64
dataset:
  _target_: ecgan.data.sources.sine.Sine
split:
  method: kfold
  group: {group}
  seed: ${{seed}}
  only: null
model:
  _target_: {model}
  network:
    _target_: ecgan.networks.autoencoders.ConvAutoencoderNet
    latent: {latent}
  optimizer:
    lr: 0.001
threshold:
  _target_: ecgan.detect.thresholds.Quantile
  q: 0.98
detector:
{detectors}
generation:
  'n': 0
trainer:
  max_epochs: {epochs}
  accelerator: {accelerator}
  threads: null
"""
DETECTOR = """  {name}:
    scorer:
      _target_: ecgan.detect.scorers.KNearest
      k: {k}
    threshold: ${{threshold}}"""
AUTOENCODER, BEATGAN = "ecgan.models.autoencoder.Autoencoder", "ecgan.models.other.Other"
Values = Mapping[str, Mapping[str, Sequence[float | None]]]
"""By detector and metric: one value per fold."""


def write_run(directory: Path, values: Values, **given: Any) -> Path:
    """Write a finished run.

    Args:
        directory: where to.
        values: of the test part.
        **given: ``seed``, ``dataset``, ``splits``, ``group`` (true: kept apart), ``groups_known``, ``model``,
            ``latent``, ``epochs``, ``accelerator``, ``k``, ``supervision`` (by detector), ``facts`` (of run.json).
    """
    seed, group = given.get("seed", 0), given.get("group", True)
    names = [name for name in values if name != "-"]
    own = "\n".join(DETECTOR.format(name=name, k=given.get("k", 5)) for name in names)
    text = CONFIG.format(
        seed=seed,
        group=str(group).lower(),
        model=given.get("model", AUTOENCODER),
        latent=given.get("latent", 5),
        detectors=own,
        epochs=given.get("epochs", 20),
        accelerator=given.get("accelerator", "auto"),
    )
    write_text(directory / ".hydra" / "config.yaml", text)
    lines = ["fold,detector,split,metric,value", "0,-,val,loss,0.5"]
    folds = range(max(len(series) for metrics in values.values() for series in metrics.values()))
    for fold in folds:
        for detector, metrics in values.items():
            cells = {metric: series[fold] for metric, series in metrics.items() if fold < len(series)}
            lines += [f"{fold},{detector},test,{name},{'' if v is None else v}" for name, v in cells.items()]
        for name in names:
            seen = given.get("supervision", {}).get(name, "normal_only")
            write_json(directory / f"fold_{fold}" / "detection" / name / "threshold.json", {"supervision": seen})
    write_text(directory / "results.csv", "\n".join(lines) + "\n")
    write_json(directory / "run.json", _facts(seed, group, given) | given.get("facts", {}))
    return directory


def _facts(seed: int, group: bool, given: Mapping[str, Any]) -> dict[str, Any]:
    name, known = given.get("dataset", "toy"), given.get("groups_known", True)
    return {
        "status": "finished",
        "seed": seed,
        "dataset": {
            "name": name,
            "hash": digest(given.get("data", name)),
            "counts": {"normal": 10},
            "groups_known": known,
            "test_shared_by_folds": given.get("shared", False),
            "note": "",
        },
        "protocol": {
            "description": "cross-validation",
            "grouping": "patient" if known else "",
            "groups_known": known,
            "groups_kept_apart": known and group,
            "groups_mixed_between": [] if group or not known else ["training and validation", "training and test"],
        },
        "splits": given.get("splits", f"{name}{group}"),
        "folds": {},
    }
