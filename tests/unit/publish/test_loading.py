"""Loading: bundles and run directories give the same, and a hostile or damaged bundle gives a sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import ecgan
from ecgan.errors import ConfigError, EcganError, RunError
from ecgan.publish.manifest import MANIFEST, write_manifest
from published_detectors import change, of_test_part


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A bundle to be changed."""
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def again(bundle: Path) -> None:
    """Make the manifest say that everything is as it was published."""
    (bundle / MANIFEST).unlink()
    write_manifest(bundle)


def test_importing_and_naming_load_imports_nothing_heavy() -> None:
    program = "import sys, ecgan; ecgan.load; print(sorted({'torch', 'numpy', 'hydra', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_run_directory_gives_the_same_as_its_bundle(several: Path, bundle: Path) -> None:
    x, table = of_test_part(several, "knn")
    run, published = ecgan.load(several, "knn"), ecgan.load(str(bundle), "knn")
    assert run.score(x).tolist() == published.score(x).tolist() == table["score"].tolist()
    assert run.p_value(x).tolist() == published.p_value(x).tolist()
    assert run.threshold == published.threshold
    assert (run.sha256, run.names) == (None, published.names)


def test_the_first_detector_judges_unless_another_is_named(bundle: Path) -> None:
    assert ecgan.load(bundle).name == "reconstruction"
    assert ecgan.load(bundle, detector="pca").name == "pca"
    with pytest.raises(ConfigError, match="did you mean 'knn'"):
        ecgan.load(bundle, detector="kn")


def test_one_digest_only(bundle: Path, several: Path) -> None:
    digest = ecgan.load(bundle).sha256
    assert digest is not None
    assert ecgan.load(bundle, sha256=digest.upper()).sha256 == digest
    with pytest.raises(RunError, match=f"has the sha256 {digest}, not the one"):
        ecgan.load(bundle, sha256=digest[:-1] + "x")
    with pytest.raises(ConfigError, match="a run directory is named"):
        ecgan.load(several, sha256=digest)


def test_another_fold_than_the_one_in_the_bundle(bundle: Path) -> None:
    assert ecgan.load(bundle, fold=0).names == ecgan.load(bundle).names
    with pytest.raises(ConfigError, match="holds fold 0 of its run, and no fold 3"):
        ecgan.load(bundle, fold=3)


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_neither_bundle_nor_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="is neither a bundle nor a run directory"):
        ecgan.load(tmp_path / name)


def test_a_bundle_that_was_changed_is_refused(copy: Path) -> None:
    weights = copy / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(RunError, match=r"'weights.safetensors' of .* was changed or is damaged"):
        ecgan.load(copy)


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "model": lambda cfg: cfg.update(model={"_target_": "os.system", "command": "touch owned"}),
    "inside the model": lambda cfg: cfg["model"]["network"].update(_target_="subprocess.Popen"),
    "in a list": lambda cfg: cfg["model"]["optimizer"].update(betas=[0.9, {"_target_": "os.system"}]),
    "scorer": lambda cfg: cfg["detector"]["knn"]["scorer"].update(_target_="builtins.eval"),
    "transform": lambda cfg: cfg["transform"].update(_target_="torch.load"),
    "a section that is not built": lambda cfg: cfg["dataset"].update(_target_="os.system"),
    "a section of its own": lambda cfg: cfg.update(other=[{"_target_": "os.system"}]),
    "what ecgan imports": lambda cfg: cfg["model"].update(_target_="ecgan.files.shutil.rmtree"),
    "a function": lambda cfg: cfg["model"].update(_target_="ecgan.files.write_text"),
    "interpolation": lambda cfg: cfg["model"].update(init="${oc.env:HOME}"),
    "by position": lambda cfg: cfg["model"].update(_args_=["x"]),
    "in the wrong place": lambda cfg: cfg.update(model=cfg["detector"]["pca"]["scorer"]),
    "logger as scorer": lambda cfg: cfg["detector"]["knn"].update(
        scorer={"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "owned"}
    ),
    "logger inside the model": lambda cfg: cfg["model"].update(
        network={"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "owned"}
    ),
    "number as class": lambda cfg: cfg["model"].update(_target_=3),
}


@pytest.mark.parametrize("alter", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_config_is_refused(
    copy: Path, alter: Callable[[dict[str, Any]], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The checksums are right, since whoever is hostile makes them."""
    monkeypatch.chdir(tmp_path)
    cfg = json.loads((copy / "config.json").read_text("utf-8"))
    alter(cfg)
    (copy / "config.json").write_text(json.dumps(cfg), "utf-8")
    again(copy)
    with pytest.raises(EcganError) as refused:
        ecgan.load(copy)
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


@pytest.mark.parametrize("scored", [{"batch": 0}, {"threads": 0}, {"threads": 10**9}, {"batch": "many"}], ids=str)
def test_numbers_that_cannot_be_computed_with_are_refused(copy: Path, scored: dict[str, Any]) -> None:
    about = json.loads((copy / "bundle.json").read_text("utf-8"))
    change(copy, "bundle.json", scored=about["scored"] | scored)
    with pytest.raises(RunError, match="is no bundle that this version can load"):
        ecgan.load(copy)


def test_a_detector_is_no_path(copy: Path) -> None:
    about = json.loads((copy / "bundle.json").read_text("utf-8"))
    shutil.copytree(copy / "detectors" / "knn", copy.parent / "outside")
    cfg = json.loads((copy / "config.json").read_text("utf-8"))
    change(copy, "config.json", detector={"../../outside": cfg["detector"]["knn"]})
    change(copy, "bundle.json", detectors={"../../outside": about["detectors"]["knn"]})
    with pytest.raises(ConfigError, match="letters, digits"):
        ecgan.load(copy)


def without(key: str) -> Callable[[Path], object]:
    def alter(copy: Path) -> None:
        content = json.loads((copy / "bundle.json").read_text("utf-8"))
        del content[key]
        (copy / "bundle.json").write_text(json.dumps(content), "utf-8")

    return alter


def other_weights(copy: Path) -> None:
    weights = load_file(copy / "weights.safetensors")
    weights.popitem()
    save_file(weights, copy / "weights.safetensors")


def other_state(copy: Path) -> None:
    save_file({"other": torch.zeros(1)}, copy / "detectors" / "knn" / "scorer.safetensors")


def pickled(copy: Path) -> None:
    torch.save({"state_dict": {}}, copy / "weights.safetensors")


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no shape": (without("shape"), "no bundle that this version can load"),
    "no detectors": (lambda copy: change(copy, "bundle.json", detectors={}), "no bundle that this version can load"),
    "list": (lambda copy: (copy / "bundle.json").write_text("[]"), "no bundle that this version can load"),
    "no JSON": (lambda copy: (copy / "config.json").write_text("{"), "config.json is damaged"),
    "no config": (lambda copy: (copy / "config.json").unlink(), "config.json is missing"),
    "other weights": (other_weights, "weights do not fit the model"),
    "pickled weights": (pickled, "weights.safetensors is missing or damaged"),
    "other state": (other_state, "no bundle that this version can load"),
    "no state": (lambda copy: (copy / "detectors" / "knn" / "scorer.safetensors").unlink(), "is missing or damaged"),
    "other transform": (lambda copy: change(copy, "transform.json", transform="x"), "not the one in its config"),
    "threshold of text": (lambda copy: change(copy, "detectors/pca/threshold.json", value="x"), "no bundle that this"),
    "no threshold": (lambda copy: change(copy, "detectors/pca/threshold.json", val=1), "is no threshold file"),
}


@pytest.mark.parametrize(("alter", "part"), WRONG.values(), ids=WRONG)
def test_a_bundle_that_holds_something_else_is_refused(copy: Path, alter: Callable[[Path], object], part: str) -> None:
    alter(copy)
    again(copy)
    with pytest.raises(RunError, match=part) as refused:
        ecgan.load(copy)
    assert "\n" not in str(refused.value)


def test_hydra_of_the_caller_is_left_alone(bundle: Path) -> None:
    """Somebody may load a detector within a Hydra application."""
    from hydra import initialize
    from hydra.core.global_hydra import GlobalHydra

    with initialize(None, version_base="1.3"):
        ecgan.load(bundle).score(np.zeros((1, 1, 32)))
        assert GlobalHydra.instance().is_initialized()
