"""Published results, run again: ``results/*.csv``, one row per experiment, detector and metric.

What is run stands in ``results/experiments.yaml``. Each run is one ``ecgan-train`` command; finished ones are not
repeated, so an interrupted benchmark goes on with the same command. Means, deviations and intervals are those of
``ecgan-report``. ``docs/results.md`` is made from the files written here, see ``results_page.py``.

Usage: ``python benchmarks/results.py [NAME ...] [--out FOLDER] [--table] [key=value ...]``
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from scipy.stats import t as student_t

from ecgan.comparison import Request, compare
from ecgan.evaluate.predictions import write_table
from ecgan.sweep.naming import without_volatile

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
KEPT = ["split", "groups", "model", "detector", "supervision", "upper_bound", "metric", "mean", "sd", "low", "high"]
KEPT += ["test_low", "test_high", "runs", "folds", "seeds"]
LEFT_OUT = ("loss", "confusion", "recall_class")


def entries() -> dict[str, dict[str, Any]]:
    """All entries of ``results/experiments.yaml``, by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((RESULTS / "experiments.yaml").read_text(encoding="utf-8"))
    return found


def directories(name: str, entry: dict[str, Any], out: Path) -> dict[Path, list[str]]:
    """The runs of an entry: directories and settings."""
    several = len(entry["runs"]) > 1
    return {
        out / f"{name}{f'_{number}' if several else ''}_seed{seed}": [*shlex.split(settings), f"seed={seed}"]
        for number, settings in enumerate(entry["runs"])
        for seed in entry["seeds"]
    }


def settle(directory: Path, settings: Sequence[str], extra: Sequence[str]) -> None:
    """Run what is not finished.

    Raises:
        CalledProcessError: when the command fails.
    """
    if _facts(directory).get("status") == "finished":
        return
    shutil.rmtree(directory, ignore_errors=True)
    print(f"{time.strftime('%H:%M:%S')} {directory.name}", file=sys.stderr, flush=True)
    command = [str(Path(sys.executable).with_name("ecgan-train")), *settings, *extra, f"hydra.run.dir={directory}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def collected(name: str, found: dict[Path, list[str]]) -> pd.DataFrame:
    """The numbers of finished runs, with what they cost and where they were made."""
    refuse_mixed(found)
    with tempfile.TemporaryDirectory() as folder:
        compare(Request(tuple(found), Path(folder)))
        table = pd.read_csv(Path(folder) / "table.csv", keep_default_na=False, na_values=[""])
    seeds = len({settings[-1] for settings in found.values()})
    table = over_seeds(table.loc[~table["metric"].str.startswith(LEFT_OUT), KEPT], seeds)
    facts = [_facts(directory) for directory in found]
    table.insert(0, "experiment", name)
    table["seconds"] = round(sum(_seconds(run) for run in facts))
    table["commit"] = " ".join(sorted({(run.get("git") or {}).get("commit", "unknown")[:7] for run in facts}))
    table["machine"] = f"{facts[0]['cpu_count']} CPU cores, torch {facts[0]['versions']['torch']}"
    return table


def refuse_mixed(found: dict[Path, list[str]]) -> None:
    """Refuse seeds of one command whose settings differ, such as before and after a file of ``conf/`` changed.

    Settings that only some of them know are newer ones, and not compared.

    Raises:
        ValueError: naming the settings.
    """
    for command in {tuple(settings[:-1]) for settings in found.values()}:
        same = [directory for directory, settings in found.items() if tuple(settings[:-1]) == command]
        read = [yaml.safe_load((one / ".hydra" / "config.yaml").read_text(encoding="utf-8")) for one in same]
        lasting = [pd.json_normalize(without_volatile(config)).astype(object).iloc[0] for config in read]
        table = pd.concat([config.map(repr) for config in lasting], axis=1)
        differing = table.index[table.nunique(axis=1) > 1].difference(["seed"])
        if len(differing):
            raise ValueError(f"{same[0].parent} has runs of one command that differ in {', '.join(differing)}")


def over_seeds(table: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """Put together what ``ecgan-report`` leaves apart: runs whose seed has also drawn who validates.

    They have one test part, the source's own; spread and interval are over seeds, as where nothing but weights differs.

    Raises:
        ValueError: for more runs of a method than seeds, which must then differ in something else.
    """
    same = KEPT[: KEPT.index("mean")]
    rows = []
    for _, found in table.groupby(same, sort=False, dropna=False):
        row = found.iloc[0].copy()
        if found["seeds"].sum() > seeds:
            raise ValueError(
                f"several commands have {row['model']} with {row['detector']}; give them entries of their own"
            )
        if (n := len(found)) > 1:
            row["mean"], row["sd"] = found["mean"].mean(), found["mean"].std()
            half = student_t.ppf(0.975, n - 1) * row["sd"] / math.sqrt(n)
            row["low"], row["high"] = row["mean"] - half, row["mean"] + half
            row["test_low"], row["test_high"] = found["test_low"].mean(), found["test_high"].mean()
            row["runs"], row["folds"], row["seeds"] = (found[key].sum() for key in ("runs", "folds", "seeds"))
        rows.append(row)
    return pd.DataFrame(rows, columns=table.columns)


def _facts(directory: Path) -> dict[str, Any]:
    file = directory / "run.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _seconds(facts: dict[str, Any]) -> float:
    started, ended = (datetime.fromisoformat(facts[key]) for key in ("started", "ended"))
    return (ended - started).total_seconds()


def main() -> None:
    """Run what is missing and write the files."""
    known = entries()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="of entries; all without a name", metavar="NAME")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "results", help="where the runs go and stay")
    parser.add_argument("--table", action="store_true", help="run nothing, write the files of what is there")
    given, settings = parser.parse_known_args()
    names = [name for name in given.names if "=" not in name] or list(known)
    settings += [name for name in given.names if "=" in name]
    if not set(names) <= set(known):
        parser.error(f"{', '.join(sorted(set(names) - set(known)))}: no such entry; there are {', '.join(known)}")
    for name in names:
        found = directories(name, known[name], given.out)
        if not given.table:
            for directory, overrides in found.items():
                settle(directory, overrides, settings)
        if all(_facts(directory).get("status") == "finished" for directory in found):
            write_table(RESULTS / f"{name}.csv", collected(name, found))
        else:
            print(f"{name}: not run in full", file=sys.stderr)


if __name__ == "__main__":
    main()
