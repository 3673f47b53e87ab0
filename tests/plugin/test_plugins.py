"""A third party's package: one Python file, YAML files and one entry point."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from commands import TINY, Command, left_in, only_run
from ecgan.config import compose
from ecgan.errors import ConfigError
from ecgan.nodes import TRUSTED, locate
from ecgan.plugins import config_packages, search_path, trusted_packages

WITHOUT_DETECTOR = (*TINY[:-2], "detector=none", "trainer.figures=false", "split.only=[0]")


def test_entry_point_is_found(plugin: str) -> None:
    assert f"{plugin}.conf" in config_packages()
    assert f"pkg://{plugin}.conf" in search_path()
    assert plugin in trusted_packages()


def test_its_config_composes_and_its_classes_may_be_named(plugin: str) -> None:
    cfg = compose(["model=silent", "detector=[knn]", "model.start=0.75"])
    assert cfg.model._target_ == f"{plugin}.models.Silent"
    assert cfg.model.start == 0.75
    assert locate(cfg.model._target_).__name__ == "Silent"


HELP = """
import sys
from ecgan import cli
for name in ("train", "preprocess", "detect"):
    sys.argv = [f"ecgan-{name}", "--help"]
    try:
        getattr(cli, name)()
    except SystemExit as stop:
        assert not stop.code
print("HEAVY", sorted({"torch", "hydra", "omegaconf", "numpy"} & set(sys.modules)))
"""


def test_help_lists_its_files_without_running_its_code(plugin: str) -> None:
    (spec,) = find_spec(plugin).submodule_search_locations  # type: ignore[union-attr, misc]
    (Path(spec) / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (Path(spec) / "conf" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
    models = done.stdout.partition("\n  model ")[2].partition("\n  detector ")[0]
    assert {"silent", "echo", "beatgan"} <= set(models.replace(",", "").split())
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert done.stderr == ""


def test_its_classes_are_checked_like_all_others(plugin: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.start is 'high' but Silent takes a number"):
        compose(["model=silent", "detector=[knn]", "model.start=high"])


def test_it_may_bring_defaults_of_a_pair(plugin: str) -> None:
    assert compose(["model=echo", "dataset=sine"]).model.start == 0.25
    assert compose(["model=echo", "dataset=sine", "model.start=3.0"]).model.start == 3.0
    assert compose(["model=echo", "dataset=ecg5000"]).model.start == 0.5


def test_nothing_is_trusted_without_its_entry_point() -> None:
    assert trusted_packages() == ()
    with pytest.raises(ConfigError, match="outside the allowed packages") as caught:
        locate("ecgan_test_plugin.models.Silent")
    assert all(package in str(caught.value) for package in TRUSTED)


def test_a_package_is_trusted_under_its_whole_name_only(plugin: str) -> None:
    with pytest.raises(ConfigError, match="outside the allowed packages"):
        locate(f"{plugin}_too.models.Silent")


def test_what_it_imports_is_not_trusted(plugin: str) -> None:
    with pytest.raises(ConfigError, match="has no class 'torch'"):
        locate(f"{plugin}.models.torch")
    with pytest.raises(ConfigError, match="There is no module"):
        locate(f"{plugin}.models.torch.nn.Linear")


@pytest.mark.parametrize("flags", [(), ("-m",)])
def test_it_trains(command: Command, plugin: str, flags: tuple[str, ...]) -> None:
    """Flags and settings in any order, though the search path is one more setting."""
    outcome = command("train", *WITHOUT_DETECTOR[:2], *flags, *WITHOUT_DETECTOR[2:], "model=echo")
    out = outcome.worked()
    run = only_run(command.folder / "outputs")
    assert str(run) in out.replace("\n", "")
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    assert f"{plugin}.models.Echo" in (run / ".hydra" / "config.yaml").read_text()


def test_a_detector_that_it_cannot_serve_is_refused(command: Command, plugin: str) -> None:
    outcome = command("train", *TINY, "model=silent", "detector=[knn,reconstruction]")
    outcome.refused(
        2, "'reconstruction'", "reconstructs", "Silent does not", "autoencoder, beatgan, echo, lstm_autoencoder"
    )
    assert left_in(command.folder) == []


def test_all_other_detectors_serve_it(plugin: str) -> None:
    assert list(compose(["model=silent", "detector=[knn,pca,lstm_autoencoder]"]).detector) == [
        "knn",
        "pca",
        "lstm_autoencoder",
    ]
