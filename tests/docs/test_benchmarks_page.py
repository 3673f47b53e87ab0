"""The table of benchmarks: rows as benchmarks print them, and a page that is made of them alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FACTS = {"commit": "abc1234", "machine": "a machine", "date": "2026-01-01"}


@pytest.fixture(scope="module")
def tool() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import table

        yield table
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def rounds(tool: Any) -> Any:
    from versus import rounds

    return rounds


def test_a_printed_row_arrives_as_it_was(tool: Any, rounds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    row = rounds.Row("other", "work", "CPU s", 1.5, 3.0, 2.0, 1.5, 2.5, 3, "other 1.0")
    row.tell()
    printed = capsys.readouterr().out
    assert "ours 1.5 CPU s, theirs 3, ratio 2.00 (1.50 to 2.50)" in printed
    assert tool.rows("versus_other", f"noise\n{printed}") == [row]


def test_ratios_say_how_many_times_as_fast_ours_is(rounds: Any) -> None:
    pairs = [(1.0, 2.0), (2.0, 6.0), (4.0, 4.0)]
    answers = [{"ours": {"fit": a}, "theirs": {"fit": b, "versions": "v"}} for a, b in pairs]
    row = rounds.times("other", "work", "s", answers, "ours", "fit")
    assert (row.ours, row.theirs, row.ratio, row.low, row.high, row.rounds) == (2.0, 4.0, 2.0, 1.0, 3.0, 3)
    score = rounds.scores("other", "work", "AUROC", answers, "ours", "fit")
    assert (score.ours, score.theirs, score.ratio) == (pytest.approx(7 / 3), 4.0, None)


def test_sides_take_turns_in_both_orders_with_one_thread(rounds: Any) -> None:
    script = "import json, os, sys, time; given = json.loads(sys.argv[1]); "
    script += "print('noise'); print(json.dumps({**given, 'at': time.monotonic(), 'n': os.environ['OMP_NUM_THREADS']}))"
    side = [sys.executable, "-c", script]
    first, second = rounds.alternate({"a": side, "b": side}, {"epochs": 2}, 2)
    assert first["a"]["at"] < first["b"]["at"] < second["b"]["at"] < second["a"]["at"]
    assert (first["a"]["seed"], second["a"]["seed"], first["a"]["epochs"], first["a"]["n"]) == (0, 1, 2, "1")


def test_headlines_of_benchmarks_that_print_tables(tool: Any) -> None:
    overhead = (
        "model               ecgan steps/s   bare steps/s   ratio   rounds\n"
        "autoencoder                 118.0          123.0   0.958   0.958 0.940 0.971\n"
    )
    (row,) = tool.rows("overhead", overhead)
    assert (row.ours, row.theirs, row.ratio, row.low, row.high, row.rounds) == (118.0, 123.0, 0.958, 0.94, 0.971, 3)
    tutorial = (
        "tutorial: 61.3 ms per step, 24000 s for 150 epochs (scaled from 600 steps)\n"
        "ecgan-train experiment=lstm_autoencoder_tutorial: 120.0 s from start to finished detection\nratio: 200\n"
    )
    (row,) = tool.rows("tutorial", tutorial)
    assert (row.ours, row.theirs, row.ratio) == (120.0, 24000.0, 200.0)
    startup = (
        'python -c "import hydra, numpy"       0.500 s   ratio 1.00\n'
        "ecgan-train --help                    0.750 s   ratio 1.50\n"
    )
    (row,) = tool.rows("startup", startup)
    assert (row.ours, row.theirs, row.ratio) == (0.75, 0.5, pytest.approx(2 / 3))
    assert tool.rows("floors", overhead) == []


def test_new_rows_take_the_place_of_earlier_ones_alone(tool: Any, rounds: Any) -> None:
    def row(name: str, what: str, ours: float) -> Any:
        return rounds.Row(name, what, "s", ours, 1.0, 1.0, 1.0, 1.0)

    table = tool.replaced(
        pd.DataFrame(columns=tool.COLUMNS), "a", [row("x", "1", 1.0), row("x", "2", 2.0), row("y", "1", 3.0)], FACTS
    )
    table = tool.replaced(table, "b", [row("x", "1", 4.0)], FACTS)
    table = tool.replaced(table, "a", [row("x", "1", 5.0)], {**FACTS, "commit": "new"})
    found = table[["benchmark", "name", "what", "ours", "commit"]].values.tolist()
    assert found == [
        ["a", "x", "1", 5.0, "new"],
        ["a", "y", "1", 3.0, "abc1234"],
        ["b", "x", "1", 4.0, "abc1234"],
    ]


def test_scores_stand_with_their_difference_and_times_with_their_ratio(tool: Any, rounds: Any) -> None:
    made = [
        rounds.Row("x", "fit", "CPU s", 2.0, 1.0, 0.5, 0.4, 0.6, 3),
        rounds.Row("x", "test part", "AUROC", 0.98, 0.99, rounds=3),
    ]
    table = tool.replaced(pd.DataFrame(columns=tool.COLUMNS), "a", made, FACTS)
    text = tool.section("x", {"title": "X", "same": "this", "differs": "that", "verdict": "slow"}, table)
    assert "| fit | CPU s | 2 | 1 | 0.50 (0.40 to 0.60) |" in text
    assert "| test part | AUROC | 0.98 | 0.99 | -0.010 |" in text
    assert text.endswith("slow")
    assert "Not run yet." in tool.section("z", {"title": "Z", "same": "this", "differs": "that"}, table)


def test_the_page_is_made_of_the_table(tool: Any) -> None:
    table = tool.read()
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == tool.page(table)
    assert list(table.columns) == tool.COLUMNS
    assert not table.empty
    timed = table[table["ratio"].notna() & (table["unit"] != "steps/s")]
    assert ((timed["low"] <= timed["ratio"]) & (timed["ratio"] <= timed["high"])).all()
    assert np.isfinite(table[["ours", "theirs"]]).all(axis=None)


def test_every_comparison_is_described(tool: Any) -> None:
    about = yaml.safe_load((ROOT / "benchmarks" / "versus" / "about.yaml").read_text(encoding="utf-8"))
    assert set(tool.read()["name"]) <= set(about)
    assert all(
        {"title", "same", "differs"} <= set(entry) <= {"title", "same", "differs", "verdict"}
        for entry in about.values()
    )


def test_other_software_is_pinned(tool: Any) -> None:
    for file in (ROOT / "benchmarks" / "versus" / "foreign").glob("requirements-*.txt"):
        name = file.stem.removeprefix("requirements-")
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert all("==" in line for line in lines)
        assert any(line.startswith(f"{name}==") for line in lines)


def test_a_row_has_all_that_its_line_in_the_table_has(tool: Any, rounds: Any) -> None:
    row = rounds.Row("x", "y", "s", 1.0, 1.0)
    assert set(json.loads(json.dumps(asdict(row)))) | {"benchmark", *FACTS} == set(tool.COLUMNS)
