"""How near the rebuilt heartbeats of Kachuee et al. come to real rows of Kaggle's files.

Prints one table and writes one figure: of each class the real row whose distance to its nearest rebuilt beat is the
median one, that beat, and the distances of all real rows. Where only some of the raw records are there, as for PTB in
a mirror, most real rows come from records that are not, and then even the nearest beat is one of somebody else.

Usage: ``python benchmarks/kachuee.py --mirror <folder> [--figure kachuee.png]``
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from ecgan.data.sources.kachuee import KachueeBeats
from ecgan.data.sources.mitbih_beats import MITBIHBeats
from ecgan.data.sources.ptb_beats import PTBBeats
from ecgan.types import FloatArray, IntArray

NEAR = 0.05
"""Root mean square distance below which a rebuilt beat counts as the real one."""

EXACT = 1e-3
"""The same, for beats that differ by the rounding of excerpts at most."""

REAL, REBUILT, PATTERN = "#1f5fa8", "#d9622b", "#9aa7b5"


class Compared(NamedTuple):
    """Real rows beside their nearest rebuilt beats."""

    source: KachueeBeats
    real: FloatArray
    label: IntArray
    rebuilt: FloatArray
    rebuilt_label: IntArray
    nearest: IntArray
    rms: FloatArray


def read_all(source: KachueeBeats, mirror: Path) -> tuple[FloatArray, IntArray]:
    """All beats (N, 187) in float64 and their labels."""
    raw = mirror / source.folder / "raw"
    parts = [source.read(raw, piece) for piece in source.pieces(raw)]
    x = np.concatenate([np.asarray(part.x)[:, 0] for part in parts if len(part.y)])
    return x.astype(np.float64), np.concatenate([part.y for part in parts])


def nearest_to(real: FloatArray, rebuilt: FloatArray) -> tuple[IntArray, FloatArray]:
    """Position of the nearest rebuilt beat of each real row, and its root mean square distance."""
    energy = (rebuilt**2).sum(axis=1)
    near = np.concatenate([(energy - 2 * rows @ rebuilt.T).argmin(axis=1) for rows in np.array_split(real, 20)])
    return near, np.sqrt(((real - rebuilt[near]) ** 2).mean(axis=1))


def compare(cls: type[KachueeBeats], mirror: Path) -> Compared:
    """Rebuild the set and look for the real rows in it."""
    real, label = read_all(cls("kaggle"), mirror)
    source = cls("physionet")
    rebuilt, rebuilt_label = read_all(source, mirror)
    if rebuilt.min() < 0 or rebuilt.max() > 1 or rebuilt.shape[1] != real.shape[1]:
        raise SystemExit(f"{source.name} has beats outside of [0, 1] or of another length")
    return Compared(source, real, label, rebuilt, rebuilt_label, *nearest_to(real, rebuilt))


def print_table(sets: list[Compared]) -> None:
    """One line per class."""
    columns = (
        "set",
        "class",
        "published",
        "rebuilt",
        "real rows",
        f"below {EXACT:g}",
        f"below {NEAR:g}",
        "median",
        "max",
    )
    print(" ".join(f"{column:>12}" for column in columns))
    for done in sets:
        published = type(done.source)("kaggle").expected
        for i, name in enumerate(done.source.classes):
            rms = done.rms[done.label == i]
            shares = [f"{100 * (rms < limit).mean():.1f} %" for limit in (EXACT, NEAR)]
            cells = [done.source.name, name, f"{published[name]:,}", f"{(done.rebuilt_label == i).sum():,}", len(rms)]
            cells += [*shares, f"{np.median(rms):.2g}", f"{rms.max():.2g}"]
            print(" ".join(f"{cell:>12}" for cell in cells))
        identical = (done.real == done.rebuilt[done.nearest]).all(axis=1)
        print(f"{done.source.name}: {identical.sum()} of {len(identical)} real rows bit for bit; {done.source.note}")


def panel(axes: plt.Axes, done: Compared, number: int) -> None:
    """The real row of median distance and its nearest rebuilt beat."""
    rows = np.flatnonzero(done.label == number)
    row = rows[np.argsort(done.rms[rows], kind="stable")[len(rows) // 2]]
    t = np.arange(done.real.shape[1]) / done.source.fs_hz
    axes.plot(t, done.rebuilt[done.nearest[row]], color=REBUILT, lw=3.2, alpha=0.55, solid_capstyle="round")
    axes.plot(t, done.real[row], color=REAL, lw=1.1)
    short = "MIT-BIH" if done.source.name.startswith("mitbih") else "PTB"
    axes.set_title(f"{short}, class {done.source.classes[number]}", loc="left", fontsize=10, fontweight="bold")
    rms = done.rms[row]
    text = "identical" if rms == 0 else f"RMS {rms:.2f}"
    axes.text(0.98, 0.95, text, transform=axes.transAxes, ha="right", va="top", fontsize=9, color="#444444")
    axes.set(ylim=(-0.04, 1.14), yticks=(0, 0.5, 1), xlim=(0, t[-1]), xlabel="time in s")


def histogram(axes: plt.Axes, sets: list[Compared]) -> None:
    """Share of the real rows by distance to their nearest rebuilt beat."""
    bins = np.arange(0, max(done.rms.max() for done in sets) + 0.01, 0.01)
    for done, color in zip(sets, (REBUILT, PATTERN), strict=True):
        short = "MIT-BIH" if done.source.name.startswith("mitbih") else "PTB"
        weights = np.full(len(done.rms), 100 / len(done.rms))
        axes.hist(done.rms, bins, weights=weights, color=color, alpha=0.85, label=f"{short}, {len(done.rms):,} rows")
    axes.axvline(NEAR, ymax=0.6, color="#444444", lw=1, ls="--")
    axes.text(NEAR, 55, f" {NEAR:g}", fontsize=9, color="#444444")
    axes.set_title("Distance to the nearest rebuilt beat", loc="left", fontsize=10, fontweight="bold")
    axes.set(xlabel="RMS", ylabel="% of the real rows", xlim=(0, None))
    axes.legend(frameon=False, fontsize=9, loc="upper right")


def draw(sets: list[Compared], path: Path) -> None:
    """Write the figure."""
    mpl.use("Agg")
    figure, grid = plt.subplots(2, 4, figsize=(14, 6), layout="constrained")
    panels = [(done, number) for done in sets for number in range(len(done.source.classes))]
    for axes, (done, number) in zip(grid.flat, panels, strict=False):
        panel(axes, done, number)
    histogram(grid.flat[-1], sets)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    lines = [plt.Line2D([], [], color=REAL, lw=1.1), plt.Line2D([], [], color=REBUILT, lw=3.2, alpha=0.55)]
    labels = ["real row of Kaggle's files (median distance of its class)", "nearest rebuilt beat"]
    figure.legend(lines, labels, loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Compare both sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mirror", type=Path, default=os.environ.get("ECGAN_MIRROR"), help="has <dataset>/raw")
    parser.add_argument("--figure", type=Path, default=Path("kachuee.png"))
    options = parser.parse_args()
    if options.mirror is None:
        parser.error("say --mirror <folder> or set ECGAN_MIRROR")
    sets = [compare(cls, options.mirror) for cls in (MITBIHBeats, PTBBeats)]
    print_table(sets)
    draw(sets, options.figure)


if __name__ == "__main__":
    main()
