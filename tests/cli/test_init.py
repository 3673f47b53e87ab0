"""``ecgan-init``: a complete, commented file in plain YAML, and the sequence that it begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from commands import TINY, Command, left_in, only_run
from ecgan.config import compose
from ecgan.usage import options

PAIRS = [("ecg5000", "autoencoder"), ("wafer", "beatgan"), ("sine", "lstm_autoencoder"), ("ucr", "beatgan")]


def keys(node: Any, above: str = "") -> set[str]:
    """Dotted names of all values."""
    if not isinstance(node, dict) or not node:
        return {above}
    return {name for key, value in node.items() for name in keys(value, f"{above}.{key}" if above else str(key))}


@pytest.mark.parametrize(("dataset", "model"), PAIRS)
def test_the_file_is_complete_and_composes_to_the_same(command: Command, dataset: str, model: str) -> None:
    out = command("init", "me", "beats", "first", "-d", dataset, "-m", model, "-o", "my.yml").worked()
    assert out == "Wrote my.yml. Edit it, then: ecgan-preprocess my.yml && ecgan-train my.yml\n"
    names = ["tracker.entity=me", "tracker.project=beats", "tracker.experiment=first"]
    direct = compose([f"dataset={dataset}", f"model={model}", *names])
    assert compose(file=Path("my.yml")) == direct
    content = yaml.safe_load(Path("my.yml").read_text(encoding="utf-8"))
    assert keys(content) - keys({"defaults": content["defaults"]}) == keys_of(direct)


def keys_of(cfg: Any) -> set[str]:
    return keys(OmegaConf.to_container(cfg))


def test_without_options_it_is_the_default_experiment(command: Command) -> None:
    command("init", "local", "ecgan", "default").worked()
    assert compose(file=Path("config.yml")) == compose()
    assert left_in(command.folder) == ["config.yml"]


def test_settings_are_explained(command: Command) -> None:
    command("init", "me", "beats", "first", "-m", "beatgan", "-d", "sine").worked()
    lines = Path("config.yml").read_text(encoding="utf-8").splitlines()
    explained = {line.split(":")[0].strip() for line in lines if " # " in line}
    assert {
        "latent",
        "n_critic",
        "folds",
        "test_size",
        "batch_size",
        "n_series",
        "q",
        "k",
        "deterministic",
    } <= explained
    sections = [i for i, line in enumerate(lines) if line.rstrip(":") in ("dataset", "model", "split", "trainer")]
    assert len(sections) == 4
    assert all(lines[i - 1].startswith("# ") for i in sections)


def test_an_edited_value_wins_and_the_command_line_wins_over_it(command: Command) -> None:
    command("init", "me", "beats", "first", "-d", "sine", "-m", "beatgan").worked()
    file = Path("config.yml")
    text = file.read_text(encoding="utf-8")
    assert text.count("latent: 50 ") == 1
    file.write_text(text.replace("latent: 50 ", "latent: 11 "), encoding="utf-8")
    assert compose(file=file).model.generator.latent == 11
    assert compose(["model.generator.latent=12"], file).model.generator.latent == 12
    assert compose(["seed=3"], file).model.generator.latent == 11


@pytest.mark.parametrize("model", options("model"))
def test_a_group_on_the_command_line_replaces_the_files_section(command: Command, model: str) -> None:
    command("init", "me", "beats", "first", "-d", "sine", "-m", "beatgan").worked()
    file = Path("config.yml")
    other = ["trainer=smoke", "detector=[pca]", "dataset=mitbih_beats", "split=holdout", "threshold=youden"]
    names = ["tracker.entity=me", "tracker.project=beats", "tracker.experiment=first"]
    assert compose([f"model={model}", *other], file) == compose([f"model={model}", *other, *names])


def test_steps_of_the_command_line_or_of_the_file_come_in_their_order(command: Command) -> None:
    command("init", "me", "beats", "first", "-d", "sine").worked()
    file = Path("config.yml")
    chosen = compose(["preprocess=[lttb,clean]", "preprocess.length=20", "preprocess.workers=1"], file).preprocess
    assert (list(chosen.steps), chosen.steps.lttb.length, chosen.workers) == (["lttb", "clean"], 20, 1)
    text = file.read_text(encoding="utf-8")
    assert text.count("  steps: {}") == text.count("  - _self_") == 1
    file.write_text(
        text.replace("  - _self_", "  - override preprocess: [impute, lttb]\n  - _self_").replace("  steps: {}", ""),
        encoding="utf-8",
    )
    assert list(compose(file=file).preprocess.steps) == ["impute", "lttb"]
    complete = Path("complete.yaml")  # as a run saves it, without a list of defaults
    OmegaConf.save(compose(["preprocess=[window,interpolate,clean]", "preprocess.length=30"], file), complete)
    assert list(compose(file=complete).preprocess.steps) == ["window", "interpolate", "clean"]
    again = compose(["preprocess=lttb"], complete).preprocess
    assert (list(again.steps), again.steps.lttb.length) == (["lttb"], 128), "the section is replaced as a whole"


def test_an_experiment_and_a_file_do_not_mix(command: Command) -> None:
    command("init", "me", "beats", "first").worked()
    command("preprocess", "config.yml", "experiment=lstm_autoencoder_tutorial").refused(2, "config.yml", "experiment=…")


def test_a_file_is_never_overwritten(command: Command) -> None:
    command("init", "me", "beats", "first").worked()
    before = Path("config.yml").read_bytes()
    command("init", "you", "beats", "first").refused(1, "config.yml exists", "-o")
    assert Path("config.yml").read_bytes() == before
    Path("folder").mkdir()
    command("init", "you", "beats", "first", "-o", "folder").refused(1, "folder exists")


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", "a b", "../../x", "a\\b", "a\nb"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_names_that_are_no_folders_are_refused(command: Command, name: str, place: int) -> None:
    names = ["me", "beats", "first"]
    names[place] = name
    label = ("ENTITY", "PROJECT", "EXPERIMENT")[place]
    command("init", *names).refused(2, f"{label} becomes a folder")
    assert left_in(command.folder) == []


@pytest.mark.parametrize("name", ["a-b_c", "1.10", "null", "Ärzte"])
def test_plain_names_are_taken(command: Command, name: str) -> None:
    command("init", name, name, name).worked()
    assert compose(file=Path("config.yml")).tracker.project == name


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["me", "beats"], "EXPERIMENT"),
        ([], "ENTITY"),
        (["me", "beats", "first", "--modl", "rnn"], "--modl"),
        (["me", "beats", "first", "-m", "beatgam"], "did you mean 'beatgan'?"),
        (["me", "beats", "first", "-d", "waver"], "did you mean 'wafer'?"),
    ],
)
def test_wrong_arguments_are_refused(command: Command, arguments: list[str], part: str) -> None:
    command("init", *arguments).refused(2, part)
    assert left_in(command.folder) == []


def test_a_place_that_cannot_be_written(command: Command) -> None:
    Path("file").write_text("in the way")
    command("init", "me", "beats", "first", "-o", "file/my.yml").refused(1, "file/my.yml")
    assert left_in(command.folder) == ["file"]


def test_init_preprocess_train(command: Command) -> None:
    """The sequence of the README, with less data."""
    command("init", "me", "beats", "first", "-d", "sine", "-m", "autoencoder", "-o", "my.yml").worked()
    small = ["dataset.n_series=200", "dataset.seq_len=32"]
    stored = command("preprocess", "my.yml", *small).worked()
    out = command("train", "my.yml", *small, *TINY[3:], "split.only=[1]").worked()
    run = only_run(command.folder / "outputs")
    assert run.parent == command.folder / "outputs" / "me" / "beats" / "first"
    assert f"Run directory: {run}" in out
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "finished"
    assert facts["dataset"]["hash"].startswith(Path(stored.rpartition("Store: ")[2].strip()).name)
    assert [folder.name for folder in run.glob("fold_*")] == ["fold_1"]
