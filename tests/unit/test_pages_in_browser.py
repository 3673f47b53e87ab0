"""Pages in a real browser: nothing sticks out, nothing is missing, nothing is fetched."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from browser import look_at
from ecgan import report
from ecgan.comparison import compare, parse
from ecgan.detect.detector import Threshold
from ecgan.evaluate.predictions import predictions, write_table
from ecgan.files import write_figure, write_json, write_text
from finished_runs import CONFIG, write_run

DETECTORS = tuple(f"detector_with_a_long_name_{number}" for number in range(9))
WORD = "a_class_whose_name_is_a_single_word_that_is_much_longer_than_any_line_of_a_telephone"


@pytest.fixture(scope="module")
def of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with long names, wide tables and figures of all shapes."""
    directory = tmp_path_factory.mktemp("run")
    text = CONFIG.format(seed=0, group="true", model="a.B", latent=1, detectors="  {}", epochs=1, accelerator="x" * 300)
    write_text(directory / ".hydra" / "config.yaml", text)
    counts = {"normal": 30, WORD: 20, **{f"class {c}": c for c in range(12)}}
    dataset = {"name": "toy", "counts": counts, "classes": list(counts), "groups_known": False, "hash": "f" * 64}
    command = "ecgan-train " + " ".join(f"setting.number_{n}=value" for n in range(40))
    facts = {"dataset": dataset, "detectors": list(DETECTORS), "command": command, "cwd": "/a/folder", "seed": 3}
    write_json(directory / "run.json", facts)
    rng = np.random.default_rng(0)
    for number in range(2):
        fold = directory / f"fold_{number}"
        for name in DETECTORS:
            label = rng.integers(0, 2, 50)
            table = predictions(np.arange(50), None, label, rng.normal(size=50) + label, 0.5)
            write_table(fold / "detection" / name / "predictions.csv", table)
            Threshold(0.5, "Rule", "normal_only", 10, 0).write(fold / "detection" / name / "threshold.json")
        for name, size in (("loss", (12, 2)), ("reconstruction", (2, 6)), (f"{DETECTORS[0]}_gallery", (9, 9))):
            write_figure(fold / "figures" / f"{name}.png", Figure(figsize=size))
    report.write(directory)
    return directory / "report.html"


@pytest.fixture(scope="module")
def of_many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page over many runs, with ranks, a price of leakage and runs that failed."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    for number in range(4):
        for group in (False, True):
            metrics = ("auroc", "average_precision", "f1", "mcc", "sensitivity", "specificity")
            values = {name: {metric: list(rng.uniform(size=3)) for metric in metrics} for name in DETECTORS[:4]}
            write_run(folder / f"{number}{group}", values, dataset=f"set{number}", group=group)
    write_run(folder / WORD, {"knn": {"auroc": [0.5]}}, facts={"status": "failed", "error": "why " * 50})
    compare(parse([str(folder), f"out={folder / 'out'}"]))
    return folder / "out" / "report.html"


PAGES = ("of_run", "of_many")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_and_shows_everything(
    name: str, width: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    seen = look_at(request.getfixturevalue(name), width, tmp_path)
    assert seen.console == []
    assert seen.width in range(width - 20, width + 1)
    assert seen.scroll <= seen.width
    assert seen.outside == []
    assert (seen.images, seen.broken) == ({"of_run": 6, "of_many": 1}[name], 0)
    assert seen.boxes > 0, "the wide tables scroll in their own boxes"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_or_dark(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    page = request.getfixturevalue(name)
    grounds = []
    for dark in (False, True):
        seen = look_at(page, 800, tmp_path, dark)
        ground, color = (sum(map(int, re.findall(r"\d+", text)[:3])) / 765 for text in (seen.ground, seen.color))
        assert abs(ground - color) > 0.6, "text can be read on what is behind it"
        grounds.append(ground)
    light, dark = grounds
    assert light > 0.9
    assert dark < 0.2


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_nothing_from_elsewhere(name: str, request: pytest.FixtureRequest) -> None:
    text = request.getfixturevalue(name).read_text("utf-8")
    places = re.findall(r"""(?:src|href)=["']?([^"'>\s]{0,30})|url\(|@import|<script""", text)
    assert places
    assert all(place.startswith(("data:", "#")) for place in places)


def test_the_browser_sees_what_sticks_out(tmp_path: Path) -> None:
    page = tmp_path / "wide.html"
    page.write_text(
        '<!doctype html><body><div style="width:900px">x</div><img src="none.png"><script>lost()</script>',
        encoding="utf-8",
    )
    seen = look_at(page, 390, tmp_path)
    assert seen.scroll > seen.width
    assert len(seen.outside) == 1
    assert seen.broken == 1
    assert seen.console
