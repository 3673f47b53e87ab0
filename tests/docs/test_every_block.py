"""Every block of README and docs is run by a test, or composed, or named here with the reason why it cannot be.

Pages of ``test_site_pages.RUN`` are run as they stand, so they are not looked at again.
"""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator

import numpy as np
import pytest
import test_readme

from commands import TINY, Command, only_run
from documented import FENCED, ROOT, check_installed

RUN_AS_THEY_STAND = ("quickstart.md", "howto/", "concepts/", "adr/")
"""Places below docs/: ``test_site_pages`` runs them; decisions of the past hold what was decided, not what runs."""
COMPOSED = (
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{name}.md" for name in ("tracking", "scaling", "publishing", "results")),
)
"""Pages whose command lines ``test_readme`` composes."""
EXCEPTIONS = {
    "ray start ": "starts services on several machines; tests/repro/test_launchers.py runs Ray on one",
    "python -m venv ": "makes an environment; every session of nox makes its own",
    "python -m pip install -c constraints.txt -e ": "installs into this environment; nox -s build does it in another",
    "python -m pip install nox": "the same",
    "python -m pip install torch==": "needs an index of wheels; its version is compared with constraints.txt",
    "pre-commit install": "changes the repository that it is called in",
    "source ": "enters that environment",
    "ecgan-": "composed by test_readme",
    "nox -s ": "the session's name is looked up by test_readme",
}
"""Beginnings of command lines that no test runs, and why."""
TEXT = {
    "README.md": ("Generated series, mean", "/mnt/research/", "outputs/<entity>"),
    "docs/models.md": None,
    "docs/detectors.md": None,
}
"""Blocks that are no commands, by how they begin; None: all of the page, which are formulas."""


def pages() -> list[str]:
    docs = (path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return [
        "README.md",
        "CONTRIBUTING.md",
        *sorted(f"docs/{name}" for name in docs if not name.startswith(RUN_AS_THEY_STAND)),
    ]


def blocks(page: str) -> list[tuple[str, str]]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(match["language"], match["body"]) for match in FENCED.finditer(text)]


def commands(page: str) -> Iterator[str]:
    known = TEXT.get(page, ())
    for language, body in blocks(page):
        if language or known is None or body.lstrip().startswith(known):
            continue
        for line in body.replace("\\\n", " ").splitlines():
            yield from (part.strip() for part in line.partition("   #")[0].split("&&") if part.strip())


@pytest.mark.parametrize("page", pages())
def test_every_command_is_run_or_composed_or_excepted(page: str) -> None:
    extras = r"python -m pip install '(ecgan\[[\w,]+\])'"
    for line in commands(page):
        if install := re.fullmatch(extras, line):
            check_installed([install[1]])
            continue
        assert line.startswith(tuple(EXCEPTIONS)), f"{page} shows {line!r}, which no test runs"
        assert not line.startswith(("ecgan-", "nox ")) or page in COMPOSED, f"{page} is not composed by test_readme"
        assert shlex.split(line)


def test_pages_that_are_left_to_others_are_taken_by_them() -> None:
    assert set(COMPOSED) <= set(test_readme.TEXTS)
    formulas = [page for page, starts in TEXT.items() if starts is None]
    lines = [line for page in formulas for _, body in blocks(page) for line in body.splitlines()]
    assert [line for line in lines if line.startswith((*EXCEPTIONS, "python ", "pip ", "$ "))] == []


def test_exceptions_and_texts_are_all_needed() -> None:
    lines = [line for page in pages() for line in commands(page)]
    assert [first for first in EXCEPTIONS if not any(line.startswith(first) for line in lines)] == []
    for page, starts in TEXT.items():
        bodies = [body.lstrip() for language, body in blocks(page) if not language]
        assert bodies
        assert all(any(body.startswith(first) for body in bodies) for first in starts or ())


@pytest.mark.parametrize("page", ["README.md", "docs/publishing.md"])
def test_python_of_a_page_runs(page: str, command: Command) -> None:
    command("train", *TINY, "split.only=[0]").worked()
    command("publish", f"run={only_run(command.folder / 'outputs')}", "to=bundle.zip").worked()
    (code,) = [body for language, body in blocks(page) if language == "python"]
    names = {"x": np.random.default_rng(0).normal(size=(3, 1, 32)).astype(np.float32)}
    exec(compile(code, page, "exec"), names)  # noqa: S102 - our own text
    assert set(np.asarray(names["verdict"]).tolist()) <= {0, 1}
    assert names["verdict"].shape == (3,)


def test_other_languages_are_run_elsewhere_or_parse() -> None:
    """Examples of CONTRIBUTING are put together and run by ``test_readme``, where their place is named above them."""
    marked = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").count("<!-- example: ")
    found = {page: [(kind, body) for kind, body in blocks(page) if kind] for page in pages()}
    assert {page for page, those in found.items() if those} == {"README.md", "CONTRIBUTING.md", "docs/publishing.md"}
    rest = [kind for kind, _ in found["CONTRIBUTING.md"] if kind in ("python", "yaml")]
    assert len(rest) == marked
    for kind, body in found["CONTRIBUTING.md"]:
        if kind == "toml":
            assert tomllib.loads(body)["project"]["entry-points"]["ecgan.configs"]
        elif kind == "python":
            ast.parse(body)
