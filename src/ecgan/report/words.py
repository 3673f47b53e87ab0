"""What a reader must know beside the numbers, in words: the data, how they were divided, what a threshold has seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecgan.files import read_json
from ecgan.report.collect import HIGH, LOW, failures, fold_directories, run_facts

SEEN = {
    "normal_only": "val normals",
    "val_labelled": "labelled val",
    "train_unlabelled": "unlabelled train",
    "train_labelled": "labelled train",
    "oracle": "TEST (bound)",
}
PARTS_OF_PATIENTS = ("record", "recording", "series", "trial")
"""Groups of which a patient may have several."""
SHORT = {"average_precision": "AP", "auroc": "AUROC", "f1": "F1", "mcc": "MCC"}


def cell(entry: dict[str, float] | None, folds: int, digits: int = 3) -> str:
    """One metric as it stands in a table.

    Args:
        entry: mean, std and n, None where the metric is unknown.
        folds: number of the folds in which it could have been defined.
        digits: after the point, one more for a single fold.
    """
    if entry is None:
        return ""
    if not entry["n"]:
        return "undefined"
    some = "" if entry["n"] == folds else f" ({entry['n']} of {folds})"  # undefined in the other folds
    if math.isnan(entry["std"]):
        return f"{entry['mean']:.{digits + 1}f}{some}"
    return f"{entry['mean']:.{digits}f} ± {entry['std']:.{digits}f}{some}"


def with_interval(metrics: Mapping[str, dict[str, float]], metric: str, folds: int, digits: int = 3) -> str:
    """One metric as it stands in a table, followed by its interval where it is known and of a single fold.

    Args:
        metrics: mean, std and n of each metric, and of both ends of its interval.
        metric: its name.
        folds: number of the folds in which it could have been defined.
        digits: after the point.
    """
    ends = [metrics[metric + end]["mean"] for end in (LOW, HIGH) if metric + end in metrics]
    if folds > 1 or not ends or any(map(math.isnan, ends)):
        return cell(metrics.get(metric), folds, digits)
    low, high = (f"{end:.{digits}f}" for end in ends)
    return f"{metrics[metric]['mean']:.{digits}f} [{low}, {high}]"


def short(metric: str) -> str:
    """Name of a metric as it stands in a table."""
    return SHORT.get(metric, metric)


def over(directory: Path) -> str:
    """What the numbers of a run are means of."""
    n = len(fold_directories(directory))
    shared = run_facts(directory).get("dataset", {}).get("test_shared_by_folds", False)
    # the same test series every time: the spread shows the training's luck only
    return (f"mean ± sd over {n} folds" + (" that share one test part" if shared else "")) if n > 1 else "one fold"


def supervision(directory: Path, detector: str) -> str:
    """What the detector's threshold has seen, as ``threshold.json`` says it."""
    fold = fold_directories(directory)[0]
    return str(read_json(fold / "detection" / detector / "threshold.json")["supervision"])


def resampled(directory: Path) -> str:
    """What was drawn for the intervals."""
    known = protocol(directory)
    return f"by {known['grouping']}" if known.get("groups_known") else "by series (patients unknown)"


def facts(directory: Path, reasons: bool = True) -> list[str]:
    """What was tested on what, one sentence each.

    Args:
        directory: of the run.
        reasons: whether to say why folds failed, in which names of folders may stand.
    """
    known = protocol(directory)
    if not known:
        return []
    counts = ", ".join(f"{name} {count:,}" for name, count in known["series"].items())
    said = [
        *(_failed(name, why if reasons else "") for name, why in failures(directory).items()),
        f"{known['dataset']}: {counts}",
        known["note"],
        _counted("left out of the data", known["dropped"]),
        f"split: {known['description']}" if "description" in known else "",
        _counted("left out of the split", known.get("left_out", {})),
        _patients(known),
    ]
    return [fact for fact in said if fact]


def _failed(fold: str, why: str) -> str:
    return f"{fold.replace('_', ' ')} failed and is not counted" + (f": {why}" if why else "")


def protocol(directory: Path) -> dict[str, Any]:
    """What was tested on what: the data, their subset, and how they were divided; empty where nothing is recorded."""
    recorded = run_facts(directory)
    if "dataset" not in recorded:
        return {}
    dataset = recorded["dataset"]
    how = ("groups_known", "groups_kept_apart", "grouping", "test_shared_by_folds")
    return {
        "dataset": dataset["name"],
        "note": dataset.get("note", ""),
        "series": dataset["counts"],
        "dropped": dataset.get("dropped", {}),
        **{key: dataset[key] for key in how if key in dataset},
        **recorded.get("protocol", {}),
    }


def _counted(what: str, reasons: dict[str, int]) -> str:
    return f"{what}: " + ", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) if reasons else ""


def _patients(known: dict[str, Any]) -> str:
    if not known["groups_known"]:
        return "patients are not told apart: training and test may share some"
    grouping = known["grouping"]
    if not known["groups_kept_apart"]:
        mixed = ", and between ".join(known.get("groups_mixed_between", [])) or "two parts"
        return f"{grouping.removesuffix('s')}s are known but mixed between {mixed}, as asked for"
    apart = f"no {grouping} is in two parts"
    return f"{apart}; patients are not told apart" if grouping in PARTS_OF_PATIENTS else apart
