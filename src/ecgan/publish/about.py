"""``bundle.json``: what is in a bundle, in facts; nothing of them is about who made it on which machine."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecgan import provenance
from ecgan.config import build, plain
from ecgan.nodes import TARGET, locate
from ecgan.publish.detector import Parts
from ecgan.report.collect import collect, summarize
from ecgan.report.words import facts as told
from ecgan.report.words import over
from ecgan.schema import TrackerConfig
from ecgan.trained import Trained

OWN = ("name", "note", "classes", "counts", "unit", "fs_hz", "groups_known", "hash")
"""What of ``run.json`` describes the data."""
ENVIRONMENT = ("python", "platform", "versions", "git")
TERMS = re.compile(r"^Licen[cs]e: *", re.IGNORECASE)
PLACES = {"data": "data", "outputs": "outputs", "mirror": None}


def about_bundle(
    run_directory: Path, fold: int, trained: Trained, parts: Parts, metrics: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """Collect what somebody must know who has the bundle and nothing else.

    Args:
        run_directory: of a finished run.
        fold: number of the fold.
        trained: its model.
        parts: its detectors.
        metrics: of its test part, by detector.
    """
    facts, entry, cfg = provenance.read_finished(run_directory), trained.entry, trained.cfg
    summary = summarize(collect(run_directory, intervals=False))
    return {
        "model": _name(cfg.model),
        "transform": _name(cfg.transform),
        "shape": [parts.channels, parts.seq_len],
        "scored": {"batch": parts.batch, "threads": parts.threads, "device": entry["device"]},
        "spec": entry["spec"],
        "detectors": {
            name: {
                "scorer": _name(cfg.detector[name].scorer),
                "fitted": name in entry["scorers"],
                "threshold": asdict(judge.threshold),
                "normals": len(judge.normals),
                "test": metrics[name],
                "test_over_folds": summary.get(name, {}),
            }
            for name, judge in parts.judges.items()
        },
        "dataset": {key: facts["dataset"][key] for key in OWN} | _source(cfg),
        "preprocess": list(cfg.preprocess.steps),
        "train_on": cfg.split.train_on,
        "protocol": facts["protocol"],
        "told": told(run_directory, reasons=False),
        "splits": facts["splits"],
        "fold": fold,
        "folds": len(facts["folds"]),
        "over": over(run_directory),
        "seed": facts["seed"],
        "trained": facts.get("ended"),
        "environment": {key: facts[key] for key in ENVIRONMENT},
    }


def without_places(config: dict[str, Any]) -> dict[str, Any]:
    """A resolved config without the folders of the machine that it was made on and the names of who made it."""
    path = config["split"].get("path")
    split = config["split"] | ({} if path is None else {"path": Path(path).name})
    return config | {"paths": dict(PLACES), "split": split, "tracker": asdict(TrackerConfig())}


def terms_of(source: type) -> str:
    """What the documentation of a data set says of its license and what to cite; empty where it says nothing."""
    lines = [line.strip() for line in (source.__doc__ or "").splitlines()]
    for paragraph in "\n".join(lines).split("\n\n"):
        if TERMS.match(paragraph):
            return TERMS.sub("", " ".join(paragraph.split()))
    return ""


def _source(cfg: Any) -> dict[str, str]:
    card = build(cfg.dataset).card
    return {"title": card.title, "license": card.license, "terms": terms_of(locate(plain(cfg.dataset)[TARGET]))}


def _name(node: Any) -> str:
    return str(node[TARGET]).rpartition(".")[2]
