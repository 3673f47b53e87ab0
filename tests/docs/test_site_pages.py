"""Every block of the documentation site's own pages runs, or is included from a file that is tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from commands import Command
from documented import DOCS, ROOT, run_page

RUN = [
    "quickstart.md",
    "howto/own_data.md",
    "howto/add_source.md",
    "howto/add_model.md",
    "howto/add_scorer.md",
    "howto/sweeps.md",
    "concepts/splits.md",
    "concepts/leakage.md",
    "concepts/thresholds.md",
    "concepts/results.md",
]
MANY_JOBS = ["howto/sweeps.md"]
ELSEWHERE = ["models.md", "detectors.md", "results.md", "scaling.md", "publishing.md", "tracking.md", "benchmarks.md"]
"""Pages with tests of their own."""
WITHOUT_BLOCKS = ["index.md", "api.md", "performance.md"]


def nav(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    inner = entry.values() if isinstance(entry, dict) else entry
    return [page for part in inner for page in nav(part)]  # type: ignore[attr-defined]


def test_all_pages_are_in_the_navigation_and_accounted_for() -> None:
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    written = nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    made = {page for page in written if page in ("data.md", "model_cards.md") or page.startswith("reference/")}
    assert len(written) == len(set(written))
    assert pages == set(written) - made
    assert {page for page in pages if not page.startswith("adr/")} == {*RUN, *ELSEWHERE, *WITHOUT_BLOCKS}


@pytest.mark.parametrize("page", WITHOUT_BLOCKS)
def test_pages_without_blocks_have_none(page: str) -> None:
    assert "```" not in (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.slow if page in MANY_JOBS else ()) for page in RUN]
)
def test_what_a_page_shows_runs(
    page: str, command: Command, monkeypatch: pytest.MonkeyPatch, examples_installed: Path
) -> None:
    assert run_page(DOCS / page, command, monkeypatch) > 0


@pytest.mark.parametrize("page", [*RUN, *WITHOUT_BLOCKS])
def test_settings_in_the_prose_exist(page: str) -> None:
    from ecgan.usage import options

    prose = re.sub(r"^```.*?^```$", "", (DOCS / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    for group, value in re.findall(r"`(dataset|model|detector|threshold|split|transform|tracker|sweep)=(\w+)", prose):
        known = {*options(group), "ward", "denoising", "spectrum"}
        assert value in known, f"{group}={value}"
