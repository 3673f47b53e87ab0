"""The site's reference and data cards are made of the files and classes, and nothing is left out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from config_files import FILES
from ecgan.usage import GROUPS, conf_dir, options

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+\.md)[^)\s]*\)")


@pytest.fixture(scope="module")
def tools() -> Iterator[tuple[ModuleType, ...]]:
    sys.path.insert(0, str(ROOT / "tools"))
    import data_cards
    import model_cards
    import site_reference

    yield site_reference, data_cards, model_cards
    sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def pages(tools: tuple[ModuleType, ...]) -> dict[str, str]:
    return {place: text for tool in tools for place, text in tool.pages().items()}


def section(page: str, title: str) -> str:
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_group_has_a_page_with_every_file(pages: dict[str, str]) -> None:
    groups = {folder.name for folder in conf_dir().iterdir() if folder.is_dir()}
    assert set(GROUPS) < groups
    assert {f"reference/{group}.md" for group in groups} == set(pages) - {
        "reference/settings.md",
        "data.md",
        "model_cards.md",
    }
    for group in groups:
        assert re.findall(r"^## (.+)$", pages[f"reference/{group}.md"], re.M) == options(group)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_comment_of_a_file_stands_on_its_page(file: Path, pages: dict[str, str]) -> None:
    """Read here line by line, without the code that makes the page."""
    part = section(pages[f"reference/{file.parent.name}.md"], file.stem)
    lines = (conf_dir() / file).read_text(encoding="utf-8").splitlines()
    told = [line.partition(" # ")[2] for line in lines if re.match(r" *\w+: [^ ].* # ", line)]
    assert part
    assert [
        text for text in told if text.replace("<", "&lt;").replace("|", r"\|") not in part and text not in part
    ] == []


def test_settings_have_default_type_and_meaning(pages: dict[str, str]) -> None:
    row = "| `model.network.latent` | `5` | a whole number | size of the latent vector |"
    assert row in section(pages["reference/model.md"], "autoencoder")
    assert "| `split.test` | `fixed` | fixed or rotate |" in pages["reference/split.md"]
    assert "| `data.batch_size` | `64` | a whole number | series per training step |" in pages["reference/settings.md"]
    assert "`detector.knn.scorer.k`" in section(pages["reference/detector.md"], "knn")


def test_what_changes_in_a_file_changes_on_its_page(
    tools: tuple[ModuleType, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, *_ = tools
    (tmp_path / "transform").mkdir()
    text = "# Made up\n_target_: ecgan.data.transforms.whitening.Whitening\nshrinkage: 0.25 # as much <as> you like\n"
    (tmp_path / "transform" / "other.yaml").write_text(text)
    monkeypatch.setattr(reference, "conf_dir", lambda: tmp_path)
    monkeypatch.setattr(reference, "options", lambda _: ["other"])
    page = reference.group_page("transform")
    assert "## other\n\nMade up." in page
    assert "| `transform.shrinkage` | `0.25` | a number" in page
    assert "| as much &lt;as> you like |" in page


@pytest.mark.parametrize("name", options("dataset"))
def test_every_data_set_has_a_card(name: str, pages: dict[str, str]) -> None:
    card = section(pages["data.md"], name)
    assert f"[`dataset={name}`](reference/dataset.md#{name})" in card
    if name not in ("csv", "numpy", "sine"):  # they are nobody else's
        assert "**License and citation:**" in card
        assert "**Beware:**" in card
    assert "``" not in card
    assert "Args:" not in card


@pytest.mark.parametrize("name", options("model"))
def test_every_model_has_a_card(name: str, pages: dict[str, str]) -> None:
    card = section(pages["model_cards.md"], name)
    row = next(
        line for line in (DOCS / "models.md").read_text("utf-8").splitlines() if line.startswith(f"| `{name}` |")
    )
    source, able, weights = row.split(" | ")[1:]
    assert f"| source | {source} |" in card
    assert f"| what it can do | {able} |" in card
    assert f"| weights | {weights.rstrip(' |')} |" in card
    assert "| fit, s | " in card
    assert f"`model.{'members' if name == 'inception_time' else 'optimizer.lr'}`" in card
    lines = (conf_dir() / "model" / f"{name}.yaml").read_text("utf-8").splitlines()
    assert lines[0].removeprefix("# ")[1:] in card


def test_links_lead_to_pages_that_are_there_or_made(pages: dict[str, str]) -> None:
    texts = pages | {file.relative_to(DOCS).as_posix(): file.read_text("utf-8") for file in DOCS.rglob("*.md")}
    there = {(DOCS / place).resolve() for place in texts}
    broken = [
        (place, link)
        for place, text in texts.items()
        for link in LINK.findall(text)
        if "://" not in link and (DOCS / place).parent.joinpath(link).resolve() not in there
    ]
    assert broken == []
