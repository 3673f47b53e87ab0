"""The model card of a bundle: what it is, what it was tested on, and what it must not be used for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

SUPERVISION = {
    "normal_only": "normal series only",
    "train_unlabelled": "a training part with unlabelled abnormal series",
    "val_labelled": "a labelled validation part",
    "train_labelled": "a labelled training part",
    "oracle": "the test part itself: its results are an upper bound and no result",
}
SHOWN = ("auroc", "average_precision", "f1", "mcc", "balanced_accuracy", "sensitivity", "specificity", "precision")
MEANING = {
    "auroc": "chance that an abnormal series scores higher than a normal one; no threshold is involved",
    "average_precision": "precision over all thresholds; depends on the share of abnormal series",
    "f1": "of the abnormal class at the threshold; depends on that share too",
    "mcc": "Matthews correlation of verdict and truth at the threshold",
    "balanced_accuracy": "mean of sensitivity and specificity",
    "sensitivity": "share of abnormal series that are found",
    "specificity": "share of normal series that pass",
    "precision": "share of abnormal ones among the series that are reported",
}


def model_card(about: dict[str, Any], exported: Sequence[str]) -> str:
    """Write the card as Markdown.

    Args:
        about: content of ``bundle.json``.
        exported: detectors with an ONNX file.
    """
    parts = (_head, _use, _tested, _limits, _origin)
    sections = [section for part in parts for section in part(about)]
    if exported:
        names = ", ".join(f"`detectors/{name}/model.onnx`" for name in exported)
        sections.append(
            f"## ONNX\n\n{names} map `x` (any number, {about['shape'][0]}, {about['shape'][1]}) float32, in the unit "
            "above, to `score`; scaling is part of them. Compare the score with the `value` in `threshold.json`."
        )
    return "\n\n".join(sections) + "\n"


def _head(about: dict[str, Any]) -> list[str]:
    data, (channels, seq_len) = about["dataset"], about["shape"]
    rate = "no sampling rate" if data["fs_hz"] is None else f"{data['fs_hz']:g} Hz"
    unit = "no unit" if data["unit"] == "1" else data["unit"]
    steps = ", ".join(about["preprocess"]) or "nothing"
    return [
        f"# Anomaly detector: {about['model']} on {data['name']}",
        f"Judges series of {channels} channel(s) and {seq_len} samples ({rate}, {unit}), prepared as the training "
        f"data were (before scaling: {steps}). Scaling by {about['transform']} is part of the bundle. A larger score "
        "is more abnormal; a score above the threshold, not equal to it, is called abnormal.",
        _table(
            ("detector", "scorer", "threshold", "rule", "has seen"),
            [
                (
                    name,
                    known["scorer"],
                    f"{known['threshold']['value']:.6g}",
                    known["threshold"]["rule"],
                    SUPERVISION[known["threshold"]["supervision"]],
                )
                for name, known in about["detectors"].items()
            ],
        ),
        "The first one judges unless another is named.",
    ]


def _use(about: dict[str, Any]) -> list[str]:
    name, (channels, seq_len) = next(iter(about["detectors"])), about["shape"]
    return [
        "## How to use it",
        f"""```python
import ecgan

detector = ecgan.load("path/of/this/bundle")  # or detector="{name}"
verdict = detector.predict(x)  # x: array (N, {channels}, {seq_len}); 1 = abnormal
score, p = detector.score(x), detector.p_value(x)
```""",
        "```\necgan-detect run=path/of/this/bundle input=series.npz out=scores.csv\n```",
        "The p-value is the share of normal series that would score as high, by the run's validation normals. Nothing "
        "in the bundle is executed when it is loaded, and every file is compared with `manifest.json`.",
    ]


def _tested(about: dict[str, Any]) -> list[str]:
    """Results, and apart from them what thresholds reach that have seen the test part."""
    sections = ["## What it reached"]
    for oracle, of in ((False, ""), (True, "Upper bounds, no results: the threshold was chosen on the test part. ")):
        known = {name: one for name, one in about["detectors"].items() if _oracle(one) == oracle}
        if known:
            sections += _reached(about, known, of)
    return [*sections, "\n".join(f"* {fact}" for fact in about["told"])]


def _reached(about: dict[str, Any], detectors: dict[str, Any], of: str) -> list[str]:
    rows = [
        (metric, *(_number(known["test"].get(metric)) for known in detectors.values()), MEANING[metric])
        for metric in SHOWN
    ]
    sections = [
        f"{of}On the test part of fold {about['fold']}, whose model this is, computed from the predictions:",
        _table(("metric", *detectors, "meaning"), rows),
    ]
    if about["folds"] > 1:
        over = [
            (metric, *(_spread(known["test_over_folds"].get(metric)) for known in detectors.values()))
            for metric in SHOWN
        ]
        sections += [f"{of}Of the run, {about['over']}:", _table(("metric", *detectors), over)]
    return sections


def _oracle(detector: dict[str, Any]) -> bool:
    return bool(detector["threshold"]["supervision"] == "oracle")


def _limits(about: dict[str, Any]) -> list[str]:
    protocol, data = about["protocol"], about["dataset"]
    limits = ["It is no medical device and has not been tested as one."]
    if not data["groups_known"]:
        limits.append(
            "Patients are not told apart in the data, so the same ones may be in training and test: expect worse "
            "results on other patients."
        )
    elif not protocol["groups_kept_apart"]:
        limits.append("Patients are mixed between parts, so the results say little about other patients.")
    limits += [data["note"][:1].upper() + data["note"][1:] + "."] if data["note"] else []
    oracles = [name for name, known in about["detectors"].items() if _oracle(known)]
    if oracles:
        limits.append(f"Thresholds chosen from the test part, whose results are none: {', '.join(oracles)}.")
    limits += [
        "Series from another device, electrode position, filter or population than the training data may be called "
        "abnormal for that reason alone.",
        "p-values hold where new normal series are exchangeable with the validation normals, which other patients' are "
        "not, and the validation part also chose the weights.",
    ]
    return ["## Limits", "\n".join(f"* {limit}" for limit in limits)]


def _origin(about: dict[str, Any]) -> list[str]:
    data, versions = about["dataset"], about["environment"]["versions"]
    classes = ", ".join(f"{name} {count:,}" for name, count in data["counts"].items())
    used = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    lines = [
        f"* data: {data['title']} ({classes})",
        f"* license of the data: {data['license']}",
        *([f"* terms and citation: {data['terms']}"] if data["terms"] else []),
        f"* trained: {about['trained']}, seed {about['seed']}, fold {about['fold']}, on {about['scored']['device']}",
        f"* digest of the folds: `{about['splits']}`",
        f"* versions: {used}, Python {about['environment']['python']}",
        "* license of the program: Apache-2.0; weights may be bound by the terms of the data, and scorers such as "
        "nearest neighbors keep training series in `scorer.safetensors`, scaled",
    ]
    return ["## Where it comes from", "\n".join(lines)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _number(value: float | None) -> str:
    return "undefined" if value is None or math.isnan(value) else f"{value:.4f}"


def _spread(entry: dict[str, float] | None) -> str:
    if entry is None or not entry["n"]:
        return "undefined"
    return f"{entry['mean']:.3f}" if math.isnan(entry["std"]) else f"{entry['mean']:.3f} ± {entry['std']:.3f}"
