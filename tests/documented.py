"""Runs what a page of the documentation shows, in the order in which it stands there."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from commands import Command

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FENCED = re.compile(r"^```(?: ?\{\.)?(?P<language>\w*)[^\n]*\n(?P<body>.*?)^```$", re.M | re.S)
INCLUDED = re.compile(r'--8<-- "([^"]+)"')
RUN = "outputs/local/ecgan/default/2026-01-01_12-00-00-000000"
"""What pages write for the run directory of the last training."""
SHORT = (
    "trainer=smoke",
    "split.folds=2",
    "trainer.figures=false",
    "generation.n=0",
    "detector=[reconstruction,knn]",
    "split.only=[0]",
)
"""Added to every training, where the page does not set the same: who reads the page has more time than a test."""
FEW = ("dataset=sine", "dataset.n_series=200", "dataset.seq_len=32")
"""In the place of the default data set, where the page names none."""


class Block(NamedTuple):
    """A fenced block of a page; commands have no language."""

    language: str
    body: str


def blocks(page: Path) -> list[Block]:
    """All blocks of a page."""
    return [Block(match["language"], match["body"]) for match in FENCED.finditer(page.read_text(encoding="utf-8"))]


def command_lines(body: str) -> Iterator[list[str]]:
    """Commands of a block, split into words."""
    for line in body.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words


def run_page(page: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a page's commands and Python code in the command's folder; return how many there were."""
    done = 0
    for language, body in blocks(page):
        if INCLUDED.search(body):
            for line in body.splitlines():
                assert (ROOT / INCLUDED.fullmatch(line)[1]).is_file(), line  # type: ignore[index]
        elif language == "python":
            exec(compile(with_run(body, command), str(page), "exec"), {"__name__": "__main__"})  # noqa: S102 - ours
            done += 1
        else:
            assert language == "", f"{page} has a block of {language} that is neither run nor included from a file"
            for words in command_lines(body):
                run_line([with_run(word, command) for word in words], command, monkeypatch)
                done += 1
    return done


def with_run(text: str, command: Command) -> str:
    """Text with the run directory of the last training in the place of the made-up one."""
    if RUN not in text:
        return text
    runs = [file.parent for file in command.folder.glob("outputs/*/*/*/*/run.json")]
    last = max(runs, key=lambda directory: directory.name)
    return text.replace(RUN, last.relative_to(command.folder).as_posix())


def run_line(words: list[str], command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command line, shortened where it trains."""
    if words[:4] == ["python", "-m", "pip", "install"]:
        check_installed(words[4:])
    elif words[0] == "python":
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", words[1:])
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
    else:
        assert words[0].startswith("ecgan-"), f"no test runs {shlex.join(words)}"
        name = words[0].removeprefix("ecgan-")
        command(name, *words[1:], *(shortening(words) if name == "train" else ())).worked()


def shortening(words: list[str]) -> list[str]:
    """What makes a training short and is not set already."""
    given = {word.partition("=")[0] for word in words}
    sections = {key.partition(".")[0] for key in given}
    data = FEW if sections.isdisjoint({"dataset", "experiment"}) else ()
    return [word for word in (*SHORT, *data) if word.partition("=")[0] not in given]


def check_installed(what: list[str]) -> None:
    """Assert that what a page installs is the project, one of its extras, or an example package."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for word in (word for word in what if word not in ("-c", "-e", "constraints.txt", ".")):
        if named := re.fullmatch(r"ecgan\[([\w,]+)\]", word):
            assert set(named[1].split(",")) <= set(extras)
        else:
            assert (ROOT / word / "pyproject.toml").is_file(), word
