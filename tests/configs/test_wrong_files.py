"""Damaged data and hostile config files, through the console scripts."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from commands import SINE, TINY, Command, left_in, only_run
from ecgan.config import compose

UCR = ("dataset=ucr", "dataset.name=Toy", "paths.mirror=mirror")
HOSTILE = "ecgan.files.os.system"


def rows(n: int, length: int = 16) -> list[list[float]]:
    """Rows as the archive writes them: a label, then samples; the first label is the most frequent."""
    x = np.random.default_rng(0).normal(size=(n, length))
    return [[float(1 + (i % 3 == 0)), *x[i].tolist()] for i in range(n)]


def write_ucr(folder: Path, train: list[list[float]], test: list[list[float]]) -> Path:
    raw = folder / "mirror" / "toy" / "raw"
    raw.mkdir(parents=True)
    for part, table in (("TRAIN", train), ("TEST", test)):
        text = "\n".join("\t".join(map(str, row)) for row in table) + "\n"
        (raw / f"Toy_{part}.tsv").write_text(text, encoding="utf-8")
    return raw


def stored(folder: Path) -> list[str]:
    """Processed files that a later command could take for finished."""
    return [name for name in left_in(folder / "data") if "processed/" in name and not name.endswith(".lock")]


def test_a_clean_file_is_the_control(command: Command) -> None:
    write_ucr(command.folder, rows(30), rows(30))
    assert (
        "60 series of toy, 1 x 16 samples, no sampling rate (label 1 40, label 2 20)"
        in command("preprocess", *UCR).worked()
    )
    assert len(stored(command.folder)) == 5


def test_series_with_nan(command: Command) -> None:
    table = rows(30)
    table[7][3] = float("nan")
    table[9][3] = float("inf")
    write_ucr(command.folder, rows(30), table)
    command("preprocess", *UCR).refused(1, "2 series with NaN or infinite values", "number 37", "raw file")
    assert stored(command.folder) == []


def test_series_of_zero_length(command: Command) -> None:
    write_ucr(command.folder, rows(30, 0), rows(30, 0))
    command("preprocess", *UCR).refused(1, "Toy_TRAIN.tsv", "at least one sample")
    assert stored(command.folder) == []


def test_constant_series_under_standard(command: Command) -> None:
    constant = [[row[0], *[2.5] * 16] for row in rows(40)]
    write_ucr(command.folder, constant, constant)
    outcome = command("train", *UCR, *TINY[len(SINE) :], "transform=standard")
    outcome.refused(1, "is constant over the training part", "transform=standard", "transform=per_series")
    assert json.loads((only_run(command.folder) / "run.json").read_text())["status"] == "failed"


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda text: text[: len(text) // 2].rsplit(b"\t", 1)[0], "Toy_TEST.tsv"),
        (lambda _: b"<html>Not found</html>", "Toy_TEST.tsv"),
        (lambda text: text.replace(b".", b"\xff\xfe", 3), "Toy_TEST.tsv"),
        (lambda _: b"", "Toy"),
    ],
    ids=["truncated", "another file", "flipped bytes", "empty"],
)
def test_a_damaged_raw_file(command: Command, damage: Any, word: str) -> None:
    file = write_ucr(command.folder, rows(30), rows(30)) / "Toy_TEST.tsv"
    file.write_bytes(damage(file.read_bytes()))
    command("preprocess", *UCR).refused(1, word)
    assert stored(command.folder) == []


def test_a_truncated_archive(command: Command) -> None:
    raw = write_ucr(command.folder, rows(30), rows(30))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(raw.iterdir()):
            archive.write(file, file.name)
            file.unlink()
    (raw / "Toy.zip").write_bytes(packed.getvalue()[:-400])
    command("preprocess", *UCR).refused(1, "Toy.zip is damaged", "fetch it again")
    assert stored(command.folder) == []


def test_the_bundled_file_is_checked(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgan.data.fetch import download

    original = Path(str(download.package_files("ecgan"))) / "data" / "bundled" / "ecg5000.npz"
    folder = command.folder / "package"
    (folder / "data" / "bundled").mkdir(parents=True)
    (folder / "data" / "bundled" / "ecg5000.npz").write_bytes(original.read_bytes()[:-1])
    monkeypatch.setattr(download, "package_files", lambda _: folder)
    command("preprocess").refused(1, "ecg5000.npz is damaged or another version", "sha256")
    assert stored(command.folder) == []


def test_no_network(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    from ecgan.data.fetch import transfer

    def offline(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(requests.Session, "get", offline)
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.0)
    command("preprocess", *UCR[:2]).refused(1, "Cannot download", "Toy.zip", "paths.mirror")
    assert stored(command.folder) == []


@pytest.mark.parametrize("name", ["data.npy", "label.npy", "manifest.json"])
def test_a_store_that_was_cut_off(command: Command, name: str) -> None:
    command("preprocess", *SINE).worked()
    file = next((command.folder / "data").rglob(name))
    file.write_bytes(file.read_bytes()[:-40])
    command("preprocess", *SINE).refused(1, name, "is damaged", "delete", "run the same command again")


YAMLS = {
    "no yaml": ("a: [1, 2", "not valid YAML"),
    "tabs": ("a:\n\t- b", "not valid YAML (line 2"),
    "a tag": ("model: !!python/object/apply:os.system ['true']", "not valid YAML"),
    "a list": ("- a\n- b", "holds no settings"),
    "text": ("only words", "'only words'"),
    "nothing": ("", "holds no settings"),
    "twice the same key": ("seed: 1\nseed: 2", "not valid YAML"),
    "unknown key": ("defaults: [train, _self_]\nmodl: {}", "'modl'"),
    "wrong type": ("defaults: [train, _self_]\nseed: one", "seed: Value 'one'"),
    "misspelt key in a section": ("defaults: [train, _self_]\nsplit: {fold: 3}", "did you mean 'folds'?"),
    "value for a section": ("defaults: [train, _self_]\nsplit: 3", "The section split must hold settings, not '3'"),
    "no defaults of ours": ("defaults: [_self_]\nseed: 1", "entry 'train'"),
    "a config from elsewhere": ("defaults: [train, ../../evil, _self_]", "'../../evil'"),
    "a choice from elsewhere": ("defaults: [train, {override model: ../../evil}]", "../../evil"),
    "another package": ("defaults: [train, {model@hydra.launcher: beatgan}]", "hydra.launcher"),
    "hydra's logging": ("hydra: {job_logging: {version: 1, root: {}}}", "'job_logging'"),
    "hydra's callbacks": ("defaults: [train, _self_]\nhydra: {callbacks: {a: {_target_: os.system}}}", "'callbacks'"),
    "hydra as text": ("hydra: ${model}", "'hydra'"),
}


@pytest.mark.parametrize("name", ["train", "preprocess"])
@pytest.mark.parametrize(("text", "part"), YAMLS.values(), ids=YAMLS)
def test_a_file_that_is_no_config(command: Command, name: str, text: str, part: str) -> None:
    (command.folder / "my.yml").write_text(text, encoding="utf-8")
    command(name, "my.yml").refused(2, part)
    assert left_in(command.folder) == ["my.yml"]


@pytest.mark.parametrize("name", ["train", "preprocess"])
def test_a_file_that_is_not_there(command: Command, name: str) -> None:
    command(name, "my.yml").refused(2, "There is no file my.yml", "ecgan-init")
    command(name, "wafer").refused(2, "There is no file wafer", "key=value")
    assert left_in(command.folder) == []


def hostile_configs() -> dict[str, dict[str, Any]]:
    """A complete config with a forbidden class in one place each."""
    node = {"_target_": HOSTILE, "command": "touch owned"}
    places: dict[str, dict[str, Any]] = {}
    sound = dumped()
    for place in ("dataset", "model", "threshold", "optimizer", "betas", "scorer", "rule", "step", "top"):
        cfg = yaml.safe_load(sound)
        if place in cfg:
            cfg[place] = node
        elif place == "optimizer":
            cfg["model"]["optimizer"] = node
        elif place == "betas":
            cfg["model"]["optimizer"]["betas"] = [0.9, [node]]
        elif place == "scorer":
            cfg["detector"]["knn"]["scorer"] = node
        elif place == "rule":
            cfg["detector"]["knn"]["threshold"] = node
        elif place == "step":
            cfg["preprocess"]["steps"] = {"first": node}
        else:
            cfg["extra"] = [node]
        places[place] = cfg
    return places


def dumped() -> str:
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(compose([*TINY]))


def test_a_hostile_file_is_refused(command: Command) -> None:
    for place, cfg in hostile_configs().items():
        (command.folder / "my.yml").write_text(yaml.safe_dump(cfg), encoding="utf-8")
        command("train", "my.yml").refused(2, "'extra'" if place == "top" else repr(HOSTILE))
        assert left_in(command.folder) == ["my.yml"]


def test_a_sound_file_of_the_same_kind_runs(command: Command) -> None:
    """The control: what the hostile files were made from is a run's own config, and it trains."""
    (command.folder / "my.yml").write_text(dumped(), encoding="utf-8")
    assert "Run directory" in command("train", "my.yml", "split.only=[0]").worked()
