"""``docs/results.md`` and its figures, from ``results/experiments.yaml`` and ``results/*.csv`` alone.

Usage: ``python benchmarks/results_page.py [--page docs/results.md]``
"""

from __future__ import annotations

import argparse
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from results import RESULTS, ROOT, entries

from ecgan.files import write_figure, write_text
from ecgan.report.words import short

INTRODUCTION = """# Results

Published results run again under their own protocols, each beside trivial baselines, and what the protocols are worth.
`nox -s results` runs what has not been run, and writes the files in `results/` and this page; nothing here is written
by hand. Every number is of the test part, at a threshold chosen before. Several folds or seeds: mean ± standard
deviation. One: the 95 % bootstrap interval of the same trained model, by patient where patients are known; measures of
generated series are drawn again by series, so their intervals say nothing of other patients.

`knn` is the mean distance to the five nearest of at most 10,000 training normals and `pca` what is left after
projection on their principal components. A network that does not pass them has shown nothing.
"""
FIGURES = Path("figures")


def numbers(name: str) -> pd.DataFrame | None:
    """The numbers of an entry; None before it was run."""
    file = RESULTS / f"{name}.csv"
    if not file.is_file():
        return None
    table = pd.read_csv(file, keep_default_na=False, na_values=["nan"])
    for column in ("mean", "sd", "low", "high", "test_low", "test_high"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    return table


def methods(table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Split, model and detector of each row of the page, in the order of the file."""
    return list(dict.fromkeys(table[["split", "model", "detector"]].itertuples(index=False, name=None)))


def found(table: pd.DataFrame, method: Sequence[str], metric: str) -> pd.Series | None:
    """The row of a method and a metric."""
    same = (table[["split", "model", "detector"]] == list(method)).all(axis=1) & (table["metric"] == metric)
    return table[same].iloc[0] if same.any() else None


def cell(row: pd.Series | None) -> str:
    """A number with its spread or its interval."""
    if row is None or math.isnan(row["mean"]):
        return "undefined"
    if not math.isnan(row["sd"]):
        return f"{row['mean']:.3f} ± {row['sd']:.3f}"
    if math.isnan(row["test_low"]):
        return f"{row['mean']:.3f}"
    return f"{row['mean']:.3f} [{row['test_low']:.3f}, {row['test_high']:.3f}]"


def lines_of(cells: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; the first row is its head."""
    rows = [cells[0], ["---"] * len(cells[0]), *cells[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def results_of(table: pd.DataFrame, shown: Sequence[str]) -> str:
    """The table of our own numbers."""
    splits = list(dict.fromkeys(table["split"]))
    rows = [[*(["split"] if len(splits) > 1 else []), "model", "detector", "supervision", *map(short, shown)]]
    for method in methods(table):
        values = [found(table, method, metric) for metric in shown]
        if all(value is None for value in values):
            continue
        seen = next(value["supervision"] for value in values if value is not None)
        words = [f"`{method[1]}`", f"`{method[2]}`" if method[2] != "-" else "–", seen or "–"]  # noqa: RUF001
        split = [differing(splits)[method[0]]] if len(splits) > 1 else []
        rows.append([*split, *words, *(cell(value) if value is not None else "–" for value in values)])  # noqa: RUF001
    return lines_of(rows)


def differing(splits: Sequence[str]) -> dict[str, str]:
    """What tells divisions apart, such as ``by patient``; ``at random`` for one that lacks what the others have."""
    parts = {split: re.split("[,;] ", split) for split in splits}
    common = set.intersection(*map(set, parts.values()))
    return {split: ", ".join(part for part in own if part not in common) or "at random" for split, own in parts.items()}


def published_of(table: pd.DataFrame, published: Sequence[Mapping[str, Any]]) -> str:
    """What others have published, with ours beside it."""
    rows = [["published", "model", "detector", "value", "here", "difference"]]
    for claim in published:
        named = ["detector", "metric", *(key for key in ("model", "groups") if key in claim)]
        same = (table[named] == [claim[key] for key in named]).all(axis=1)
        ours, model = table.loc[same, ["mean", "model"]].squeeze()
        here = [f"`{model}`", f"`{claim['detector']}`", f"{short(claim['metric'])} {claim['value']:.3f}", f"{ours:.3f}"]
        rows.append([claim["source"], *here, f"{ours - claim['value']:+.3f}"])
    return lines_of(rows)


def section(name: str, entry: Mapping[str, Any]) -> str:
    """All that the page says of an entry."""
    parts = [f"## {entry['title']}", prose(entry["about"])]
    table = numbers(name)
    if table is None:
        parts.append("Not run yet.")
    else:
        parts.append(results_of(table, entry["shown"]))
        if entry["published"]:
            parts.append(published_of(table, entry["published"]))
        parts.append(f"![{short(entry['shown'][0])} of each detector]({FIGURES / f'results_{name}.png'})")
        first = table.iloc[0]
        seeds = ", ".join(map(str, entry["seeds"]))
        parts.append(
            prose(
                f"Seeds: {seeds}. Time of all runs: {first['seconds'] / 60:.0f} min on {first['machine']}. "
                f"Commit: {first['commit']}. All numbers: `results/{name}.csv`."
            )
        )
    parts.append("```\n" + "\n".join(f"ecgan-train {settings}" for settings in entry["runs"]) + "\n```")
    parts.append(prose(f"Shortened: {entry['shortened']}"))
    return "\n\n".join([*parts, *([prose(entry["verdict"])] if entry["verdict"] else [])])


def prose(text: str) -> str:
    """Text in lines of the page's width."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def page() -> str:
    """The whole page."""
    return INTRODUCTION + "\n" + "\n\n".join(section(name, entry) for name, entry in entries().items()) + "\n"


def draw(name: str, entry: Mapping[str, Any], table: pd.DataFrame, folder: Path) -> None:
    """One dot per method with its spread or interval, and a line for each published number."""
    metric = entry["shown"][0]
    rows = [(method, row) for method in methods(table) if (row := found(table, method, metric)) is not None]
    splits = list(dict.fromkeys(method[0] for method, _ in rows))
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(6.5, 1.3 + 0.3 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        for place, (method, row) in enumerate(rows):
            spread = (row["mean"] - row["sd"], row["mean"] + row["sd"])
            low, high = (row["test_low"], row["test_high"]) if math.isnan(row["sd"]) else spread
            color = f"C{splits.index(method[0])}"
            axes.plot([low, high], [place, place], color=color, linewidth=2, alpha=0.5)
            axes.plot(row["mean"], place, "o", color=color)
        for number, claim in enumerate(claim for claim in entry["published"] if claim["metric"] == metric):
            style = ("--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))[number % 4]
            axes.axvline(claim["value"], color="0.4", linestyle=style, label=f"published: {claim['value']:.4g}")
        for number, words in enumerate(differing(splits).values() if len(splits) > 1 else []):
            axes.plot([], [], "o", color=f"C{number}", label=words)
        axes.set_yticks(range(len(rows)), [f"{method[1]} + {method[2]}".removesuffix(" + -") for method, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(short(metric))
        axes.grid(axis="x", alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside lower center", frameon=False, ncols=3)
        write_figure(folder / f"results_{name}.png", figure)


def main() -> None:
    """Write the page and its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "results.md")
    given = parser.parse_args()
    write_text(given.page, page())
    for name, entry in entries().items():
        table = numbers(name)
        if table is not None:
            draw(name, entry, table, given.page.parent / FIGURES)


if __name__ == "__main__":
    main()
