"""Results of a run, recomputed from its predictions: ``results.csv``, ``summary.json``, ``report.html``, the table."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from ecgan.checks import RESERVED
from ecgan.errors import RunError
from ecgan.evaluate.metrics import detection_metrics
from ecgan.evaluate.predictions import read_predictions
from ecgan.files import read_json, replacing, write_json, write_text

COLUMNS = ("fold", "detector", "split", "metric", "value")
MODEL = "-"
HEADLINE = ("auroc", "average_precision", "f1", "mcc", "sensitivity", "specificity")
PER_TABLE = 4
SEEN = {
    "normal_only": "val normals",
    "val_labelled": "labelled val",
    "oracle": "TEST (bound)",
}
SHORT = {"average_precision": "AP", "auroc": "AUROC", "f1": "F1", "mcc": "MCC"}


def collect(directory: Path) -> pd.DataFrame:
    """Recompute all results of a run from the files of its folds.

    Raises:
        RunError: when there are no predictions, or a series is tested twice within a fold.
    """
    rows: list[tuple[int, str, str, str, float]] = []
    for fold in fold_directories(directory):
        number = int(fold.name.removeprefix("fold_"))
        rows += [(number, MODEL, split, "loss", value) for split, value in _model_losses(fold).items()]
        for detector in _detectors(directory, fold):
            file = fold / "detection" / detector / "predictions.csv"
            predicted = read_predictions(file)
            if predicted["index"].duplicated().any():
                raise RunError(f"{file} holds a series twice; run ecgan-detect again.")
            rows += [(number, detector, "test", *item) for item in detection_metrics(predicted).items()]
    if not rows:
        raise RunError(f"{directory} holds no results yet; its training was not finished.")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summarize(results: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Mean, standard deviation (n - 1) and number of the folds in which a test metric is defined."""
    summary: dict[str, dict[str, dict[str, float]]] = {}
    tested = results[results["split"] == "test"]
    for (detector, metric), values in tested.groupby(["detector", "metric"], sort=False)["value"]:
        defined = values.dropna()
        entry = {"mean": float(defined.mean()), "std": float(defined.std(ddof=1)), "n": len(defined)}
        summary.setdefault(str(detector), {})[str(metric)] = entry
    return summary


def write(directory: Path, title: str | None = None) -> dict[str, dict[str, dict[str, float]]]:
    """Write ``results.csv``, ``summary.json`` and ``report.html``; return the metrics of the summary.

    Args:
        directory: of the run.
        title: of the page, by default the directory's name.
    """
    results = collect(directory)
    with replacing(directory / "results.csv") as temporary:
        results.to_csv(temporary, index=False, lineterminator="\n")
    summary = summarize(results)
    write_json(directory / "summary.json", {RESERVED: _protocol(directory), **summary})
    write_text(directory / "report.html", _page(directory, summary, title or directory.name))
    return summary


def fold_directories(directory: Path) -> list[Path]:
    """Directories of the folds, in the order of their numbers."""
    folds = [path for path in directory.glob("fold_*") if path.name.removeprefix("fold_").isdigit()]
    return sorted(folds, key=lambda path: int(path.name.removeprefix("fold_")))


def table(directory: Path) -> Group:
    """The table at the end of a run: a column per detector, mean and standard deviation over folds."""
    summary = summarize(collect(directory))
    folds = fold_directories(directory)
    detectors = [name for name in summary if name != MODEL]
    parts: list[Table | str] = []
    for start in range(0, len(detectors), PER_TABLE):
        part = detectors[start : start + PER_TABLE]
        shown = Table(
            "",
            *part,
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
            title=f"Test results, {_over(directory)}",
            title_justify="left",
        )
        for metric in HEADLINE:
            shown.add_row(_short(metric), *(_cell(summary[name].get(metric), len(folds)) for name in part))
        shown.add_row("threshold", *(SEEN[_supervision(folds[0], name)] for name in part))
        parts.append(shown)
    return Group(*parts, *_facts(directory).values())


def _detectors(directory: Path, fold: Path) -> list[str]:
    """Detectors of a fold, in the order of the config."""
    order = _run_facts(directory).get("detectors", [])
    found = sorted(file.parent.name for file in (fold / "detection").glob("*/predictions.csv"))
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))


def _run_facts(directory: Path) -> dict[str, Any]:
    file = directory / "run.json"
    facts: dict[str, Any] = read_json(file) if file.is_file() else {}
    return facts


def _cell(entry: dict[str, float] | None, folds: int) -> str:
    if entry is None or not entry["n"]:
        return "undefined"
    some = "" if entry["n"] == folds else f" ({entry['n']} of {folds})"  # undefined in the other folds
    if math.isnan(entry["std"]):
        return f"{entry['mean']:.4f}{some}"
    return f"{entry['mean']:.3f} ± {entry['std']:.3f}{some}"


def _short(metric: str) -> str:
    return SHORT.get(metric, metric)


def _over(directory: Path) -> str:
    n = len(fold_directories(directory))
    shared = _run_facts(directory).get("dataset", {}).get("test_shared_by_folds", False)
    # the same test series every time: the spread shows the training's luck only
    return (f"mean ± sd over {n} folds" + (" that share one test part" if shared else "")) if n > 1 else "one fold"


def _supervision(fold: Path, detector: str) -> str:
    """What the detector's threshold has seen."""
    supervision: str = read_json(fold / "detection" / detector / "threshold.json")["supervision"]
    return supervision


def _facts(directory: Path) -> dict[str, str]:
    """What a reader must know beside the numbers, in words."""
    protocol = _protocol(directory)
    if not protocol:
        return {}
    counts = ", ".join(f"{name} {count:,}" for name, count in protocol["series"].items())
    facts = {
        "series": f"{protocol['dataset']}: {counts}",
        "note": protocol["note"],
        "dropped": _counted("left out of the data", protocol["dropped"]),
        "split": f"split: {protocol['description']}" if "description" in protocol else "",
        "left_out": _counted("left out of the split", protocol.get("left_out", {})),
        "patients": _patients(protocol),
    }
    return {key: fact for key, fact in facts.items() if fact}


def _protocol(directory: Path) -> dict[str, Any]:
    """What was tested on what: the data, their subset, and how they were divided; empty where nothing is recorded."""
    facts = _run_facts(directory)
    if "dataset" not in facts:
        return {}
    dataset = facts["dataset"]
    how = ("groups_known", "groups_kept_apart", "grouping", "test_shared_by_folds")
    return {
        "dataset": dataset["name"],
        "note": dataset.get("note", ""),
        "series": dataset["counts"],
        "dropped": dataset.get("dropped", {}),
        **{key: dataset[key] for key in how if key in dataset},
        **facts.get("protocol", {}),
    }


def _counted(what: str, reasons: dict[str, int]) -> str:
    return f"{what}: " + ", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) if reasons else ""


def _patients(protocol: dict[str, Any]) -> str:
    if not protocol["groups_known"]:
        return "patients are not told apart: training and test may share some"
    grouping = protocol["grouping"]
    if not protocol["groups_kept_apart"]:
        mixed = ", and between ".join(protocol.get("groups_mixed_between", [])) or "two parts"
        return f"{grouping.removesuffix('s')}s are known but mixed between {mixed}, as asked for"
    apart = f"no {grouping} is in two parts"
    return apart if grouping == "patient" else f"{apart}; patients are not told apart"


def _losses_of(log: pd.DataFrame, column: str) -> float | None:
    values = log[column].dropna() if column in log else pd.Series(dtype=float)
    return float(values.iloc[-1]) if len(values) else None


def _model_losses(fold: Path) -> dict[str, float]:
    """Losses of the best weights: the last ones that were logged, after fitting."""
    file = fold / "lightning" / "metrics.csv"
    if not file.is_file():
        return {}
    log = pd.read_csv(file, float_precision="round_trip")
    losses = {split: _losses_of(log, f"{split}/loss") for split in ("val", "test")}
    return {split: value for split, value in losses.items() if value is not None}


def _page(directory: Path, summary: dict[str, dict[str, dict[str, float]]], title: str) -> str:
    detectors = {name: metrics for name, metrics in summary.items() if name != MODEL}
    folds = fold_directories(directory)
    metrics = list(dict.fromkeys(metric for values in detectors.values() for metric in values))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("metric", *detectors))
    body = "".join(
        f"<tr><td>{_short(metric)}</td>"
        + "".join(f"<td>{_cell(values.get(metric), len(folds))}</td>" for values in detectors.values())
        + "</tr>"
        for metric in metrics
    )
    facts = "".join(f"<li>{html.escape(fact)}</li>" for fact in _facts(directory).values())
    supervision = "".join(
        f"<li>{html.escape(name)}: threshold from {SEEN[_supervision(folds[0], name)]}</li>" for name in detectors
    )
    figures = "".join(f"<h2>{fold.name.replace('_', ' ')}</h2>{_figures(fold)}" for fold in folds)
    return _PAGE.format(
        title=html.escape(title),
        facts=facts + supervision,
        over=_over(directory),
        head=head,
        body=body,
        figures=figures,
        config=html.escape(_config(directory)),
        again=_again(directory),
    )


def _again(directory: Path) -> str:
    original = _run_facts(directory).get("detection_of")
    if original is not None:
        return f"Made by <code>ecgan-detect</code> from the run {html.escape(str(original))}."
    return "Run again with <code>ecgan-train .hydra/config.yaml</code>."


def _config(directory: Path) -> str:
    file = directory / ".hydra" / "config.yaml"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _figures(fold: Path) -> str:
    images: Sequence[Path] = sorted((fold / "figures").glob("*.png"))
    return "".join(
        f'<img alt="{image.stem}" src="data:image/png;base64,{base64.b64encode(image.read_bytes()).decode()}">'
        for image in images
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
.wide {{ overflow-x: auto; }} table {{ border-collapse: collapse; }}
td, th {{ padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }}
td:first-child, th:first-child {{ text-align: left; }}
img {{ max-width: 100%; }} pre {{ background: #f6f6f6; padding: 1rem; overflow-x: auto; }}
</style></head><body><h1>{title}</h1><ul>{facts}</ul>
<p>Test part, {over}.</p><div class="wide"><table><tr>{head}</tr>{body}</table></div>
{figures}<h2>Settings</h2><p>{again}</p>
<pre>{config}</pre></body></html>
"""
