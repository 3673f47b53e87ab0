"""The page of a run tells what data, which folds, and how to run it again."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path

import pytest
import yaml

from ecgan import report
from ecgan.files import write_json
from ecgan.report import card


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def page(directory: Path) -> str:
    report.write(directory)
    return (directory / "report.html").read_text("utf-8")


def test_settings_are_shown_resolved(run: Path) -> None:
    text = re.findall(r"<pre><code>(.*?)</code></pre>", page(run), re.S)[-1]
    shown = yaml.safe_load(unescape(text))
    assert "${" not in text
    assert shown["detector"]["knn"]["threshold"] == shown["threshold"]
    assert shown["split"]["seed"] == shown["seed"] == 0


def test_settings_that_cannot_be_resolved_are_shown_as_they_are(run: Path) -> None:
    (run / ".hydra" / "config.yaml").write_text("a: ${nowhere}\n", encoding="utf-8")
    assert "a: ${nowhere}" in page(run)


def test_sizes_are_those_of_the_parts(run: Path) -> None:
    folds = json.loads((run / "splits.json").read_text("utf-8"))["folds"]
    expected = [{name: len(fold[name]) for name in ("train", "val", "test")} for fold in folds]
    assert card.part_sizes(run) == expected
    for number, fold in enumerate(expected):
        cells = "".join(f"<td>{fold[name]:,}</td>" for name in ("train", "val", "test"))
        assert f'<td class="word">fold {number}</td>{cells}' in page(run)


def test_parts_may_be_empty_or_written_by_hand(run: Path) -> None:
    text = '{"folds":[{"fold":0,"train":[1,2],"val":[],"test":[3]},{"fold":1,"train":[1],"val":[2,3],"test":[4]}]}'
    (run / "splits.json").write_text(text, encoding="utf-8")
    assert card.part_sizes(run) == [{"train": 2, "val": 0, "test": 1}, {"train": 1, "val": 2, "test": 1}]
    (run / "splits.json").unlink()
    assert card.part_sizes(run) == []


def test_the_page_says_how_to_run_it_again(run: Path) -> None:
    facts = json.loads((run / "run.json").read_text("utf-8"))
    text = unescape(page(run))
    assert facts["command"] in text
    assert f"ecgan-train {run / '.hydra' / 'config.yaml'}" in text
    for words in (facts["splits"], facts["dataset"]["hash"], facts["versions"]["torch"], facts["python"]):
        assert words in text
    assert str(facts["folds"]["fold_1"]["seed"]) in text


def test_the_data_card_knows_the_source(run: Path) -> None:
    told = dict(card.data_card(run))
    assert told["title"] == "synthetic sine waves"
    assert told["series"] == "200 of 1 x 32 samples"
    assert ("class", "normal: 160") in card.data_card(run)
    assert told["patients"] == "not told apart"


def test_classes_of_a_plug_in_that_is_gone_are_left_out(run: Path) -> None:
    text = (run / ".hydra" / "config.yaml").read_text("utf-8")
    (run / ".hydra" / "config.yaml").write_text(text.replace("ecgan.data.sources.sine", "gone.away"), encoding="utf-8")
    assert "title" not in dict(card.data_card(run))
    assert "gone.away" in page(run)


def test_recall_is_shown_by_the_names_of_the_classes(run: Path) -> None:
    text = page(run)
    found = re.findall(r'<td class="word">recall_class_(\d)<small>([^<]*)</small></td>', text)
    assert found[:3] == [("0", "normal"), ("1", "noise"), ("2", "superimposed")]


def test_a_later_detection_names_its_run(run: Path) -> None:
    facts = json.loads((run / "run.json").read_text("utf-8"))
    write_json(run / "run.json", facts | {"detection_of": "/somewhere/else"})
    assert "Made by ecgan-detect from the run /somewhere/else." in page(run)


def test_every_figure_has_a_caption_and_stands_with_its_detector(run: Path) -> None:
    folder = run / "fold_0" / "figures"
    folder.mkdir(exist_ok=True)
    for name in ("pca_two_scores", "knn_gallery", "generated_embedding", "knn_scores", "loss"):
        (folder / f"{name}.png").write_bytes(b"\x89PNG")
    captions = re.findall(r"<figcaption>([^<]*)</figcaption>", page(run))
    assert captions == [
        "Real and generated series as points",
        "Losses while training",
        "knn: Scores of the test part by class",
        "knn: The least and the most anomalous series of each class",
        "pca_two: Scores of the test part by class",
    ]
