"""One table of what was measured against something else: ``results/benchmarks.csv`` and ``docs/benchmarks.md``.

Runs a benchmark, shows what it prints, and puts its rows in place of its earlier ones. Those of ``versus_*.py`` print
rows; of some others the headline is read from their tables. The rest is only run. The page is made of the rows and of
``versus/about.yaml``; nothing in either is written by hand.

Usage: ``python benchmarks/table.py NAME [ARGUMENT ...]``, or without a name to write the page again
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from versus.rounds import MARK, Row

from ecgan.evaluate.predictions import write_table
from ecgan.files import write_text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TABLE, PAGE = ROOT / "results" / "benchmarks.csv", ROOT / "docs" / "benchmarks.md"
COLUMNS = ["benchmark", *Row.__dataclass_fields__, "commit", "machine", "date"]
INTRODUCTION = """# Benchmarks

What ecgan costs beside other programs that do the same work. `nox -s bench` runs every benchmark, or those
whose names stand behind `--`, and each writes its rows of `results/benchmarks.csv` and this page; nothing here is
written by hand.

Both sides are measured in one run and in turns, each in a process of its own with one thread; other software has an
environment of its own with the versions of `benchmarks/versus/foreign/`. "CPU s" are seconds of the processor, which
other work on the machine lengthens less than those of a clock on the wall. Times are medians of the rounds. The ratio
is how many times as fast ours is (below 1: slower), the median of the rounds with the least and the most; scores are
means, with the difference.
"""


def overhead(text: str) -> list[Row]:
    """The rows of ``overhead.py``."""
    found = re.findall(r"^(\w+) +([\d.]+) +([\d.]+) +([\d.]+)   ([\d. ]+)$", text, re.M)
    return [
        Row(
            "bare PyTorch loop",
            f"training steps of `{model}`",
            "steps/s",
            float(fit),
            float(loop),
            float(ratio),
            *_ends(each),
            len(each.split()),
        )
        for model, fit, loop, ratio, each in found
    ]


def tutorial(text: str) -> list[Row]:
    """The row of ``tutorial.py``."""
    theirs = re.search(r"^tutorial: .*?, ([\d.]+) s for", text, re.M)
    ours = re.search(r"^ecgan-train .*?: ([\d.]+) s from start", text, re.M)
    if theirs is None or ours is None:
        return []
    a, b = float(ours[1]), float(theirs[1])
    return [Row("tutorial's loop", "150 epochs; ours with start and detection", "s", a, b, b / a, b / a, b / a)]


def startup(text: str) -> list[Row]:
    """The row of ``startup.py``."""
    found = {name: float(median) for name, median in re.findall(r"^(\S.*?)\s+([\d.]+) s   ratio", text, re.M)}
    ours, theirs = found.get("ecgan-train --help"), found.get('python -c "import hydra, numpy"')
    if ours is None or theirs is None:
        return []
    ratio = theirs / ours
    return [Row("imports of Hydra and NumPy", "`ecgan-train --help`", "s", ours, theirs, ratio, ratio, ratio)]


def _ends(ratios: str) -> tuple[float, float]:
    each = [float(ratio) for ratio in ratios.split()]
    return min(each), max(each)


READERS: dict[str, Callable[[str], list[Row]]] = {"overhead": overhead, "tutorial": tutorial, "startup": startup}
"""How the headlines of benchmarks that print tables are read."""


def rows(benchmark: str, text: str) -> list[Row]:
    """The rows that a benchmark has printed."""
    printed = [Row(**json.loads(line.removeprefix(MARK))) for line in text.splitlines() if line.startswith(MARK)]
    return printed + (READERS[benchmark](text) if benchmark in READERS else [])


def replaced(table: pd.DataFrame, benchmark: str, found: Sequence[Row], facts: dict[str, str]) -> pd.DataFrame:
    """The table with the rows of a benchmark in place of its earlier ones of the same comparisons."""
    new = pd.DataFrame([{"benchmark": benchmark, **asdict(row), **facts} for row in found], columns=COLUMNS)
    kept = table[~((table["benchmark"] == benchmark) & table["name"].isin(new["name"]))]
    joined = pd.concat([part for part in (kept, new) if len(part)] or [new], ignore_index=True)
    return joined.sort_values(["benchmark", "name"], kind="stable", ignore_index=True)


def read() -> pd.DataFrame:
    """The table as it is."""
    if not TABLE.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(TABLE, dtype={"commit": str}).fillna({"versions": ""})


def facts() -> dict[str, str]:
    """Commit, machine and day."""
    command = ["git", "rev-parse", "--short=7", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    machine = f"{os.cpu_count()} CPU cores, Python {sys.version_info.major}.{sys.version_info.minor}"
    return {"commit": commit or "unknown", "machine": machine, "date": time.strftime("%Y-%m-%d")}


def against(row: Any) -> str:
    """The last cell: a ratio with its ends, or a difference of scores."""
    if pd.isna(row.ratio):
        return f"{row.ours - row.theirs:+.3f}"
    ends = f" ({row.low:.2f} to {row.high:.2f})" if row.rounds > 1 else ""
    return f"{row.ratio:.2f}{ends}"


def section(name: str, about: dict[str, str], table: pd.DataFrame) -> str:
    """All that the page says of a comparison."""
    said = [f"## {about['title']}", prose(f"Same: {about['same']}"), prose(f"Different: {about['differs']}")]
    own = table[table["name"] == name]
    if own.empty:
        return "\n\n".join([*said, "Not run yet."])
    head = ["measured", "unit", "ours", "theirs", "ratio or difference"]
    cells = [[row.what, row.unit, f"{row.ours:.4g}", f"{row.theirs:.4g}", against(row)] for row in own.itertuples()]
    lines = [f"| {' | '.join(line)} |" for line in ([head, ["---"] * len(head), *cells])]
    first = own.iloc[0]
    parts = [f"`benchmarks/{first['benchmark']}.py`", f"rounds: {first['rounds']}", first["machine"], first["versions"]]
    how = f"{', '.join(part for part in parts if part)}, commit {first['commit']}."
    verdict = [prose(about["verdict"])] if about.get("verdict") else []
    return "\n\n".join([*said, "\n".join(lines), prose(how), *verdict])


def prose(text: str) -> str:
    """Text in lines of the page's width."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def page(table: pd.DataFrame) -> str:
    """The whole page."""
    about = yaml.safe_load((HERE / "versus" / "about.yaml").read_text(encoding="utf-8"))
    return INTRODUCTION + "\n" + "\n\n".join(section(name, entry, table) for name, entry in about.items()) + "\n"


def run(benchmark: str, arguments: Sequence[str]) -> str:
    """Run a benchmark; what it prints is shown as it comes, and returned.

    Raises:
        CalledProcessError: when it fails.
    """
    command = [sys.executable, str(HERE / f"{benchmark}.py"), *arguments]
    printed = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            printed.append(line)
            if not line.startswith(MARK):
                print(line, end="", flush=True)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return "".join(printed)


def main() -> None:
    """Run what is named and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=sorted(file.stem for file in HERE.glob("*.py")), metavar="NAME")
    given, arguments = parser.parse_known_args()
    table = read()
    if given.name is not None:
        found = rows(given.name, run(given.name, arguments))
        if not found:
            return
        table = replaced(table, given.name, found, facts())
        write_table(TABLE, table)
    write_text(PAGE, page(table))


if __name__ == "__main__":
    main()
