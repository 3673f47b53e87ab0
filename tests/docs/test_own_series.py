"""What README says under "Your own series", done as a newcomer would, with the words of the page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import Command

README = Path(__file__).resolve().parents[2] / "README.md"
SHORT = ("trainer=smoke", "split.folds=2", "generation.n=0", "detector=[reconstruction,knn]")


def waves(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    sick = np.arange(n) % 5 == 0
    turns = np.where(sick, 5.0, 2.0)[:, None] * np.linspace(0, 2 * np.pi, 40) + rng.uniform(0, 1, (n, 1))
    table = pd.DataFrame(np.sin(turns) + 0.1 * rng.normal(size=turns.shape), columns=[f"s{i}" for i in range(40)])
    return table.assign(patient=[f"p{i % 12}" for i in range(n)], diagnosis=np.where(sick, "ill", "healthy"))


@pytest.fixture
def lines() -> list[list[str]]:
    part = README.read_text(encoding="utf-8").partition("\n## Your own series\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```\n(.*?)```", part, re.DOTALL)
    return [shlex.split(line) for line in block.splitlines()]


def test_a_table_becomes_a_report_and_scores(lines: list[list[str]], command: Command) -> None:
    assert [words[0] for words in lines] == ["ecgan-preprocess", "ecgan-train", "ecgan-detect"]
    waves(240, 0).to_csv(command.folder / "my.csv", index=False)
    told = command("preprocess", *lines[0][1:]).worked()
    assert "240 series of my, 1 x 40 samples, no sampling rate (healthy 192, ill 48)" in told
    out = command("train", *lines[1][1:], *SHORT).worked()
    run = Path(out.rpartition("Run directory: ")[2].strip())
    assert "no patient is in two parts" in " ".join(out.split())
    assert (command.folder / run / "report.html").is_file()
    new = waves(30, 1)
    new.drop(columns=["diagnosis", "patient"]).to_csv(command.folder / "new.csv", index=False)
    command("detect", *(f"run={run}" if word.startswith("run=") else word for word in lines[2][1:])).worked()
    scores = pd.read_csv(command.folder / "scores.csv")
    assert scores.groupby("detector").size().to_dict() == {"knn": 30, "reconstruction": 30}
    by_knn = scores.loc[scores["detector"] == "knn"].sort_values("index")["score"].to_numpy()
    ill = (new["diagnosis"] == "ill").to_numpy()
    assert by_knn[ill].min() > by_knn[~ill].max()
