"""run.json: claimed once, added to, and honest about the end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecgan import provenance
from ecgan.errors import RunError


def facts(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    return content


def test_a_claimed_directory_says_what_runs_where(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "run"
    provenance.claim(directory)
    found = facts(directory)
    assert found["status"] == "running"
    assert found["cwd"] == str(Path.cwd())
    assert set(found["versions"]) == set(provenance.PACKAGES)
    assert all(found["versions"][name] for name in ("torch", "pytorch-lightning", "hydra-core", "numpy"))
    assert {"command", "host", "python", "platform", "cpu_count", "git", "started"} <= set(found)


def test_a_directory_cannot_be_claimed_twice(tmp_path: Path) -> None:
    provenance.claim(tmp_path)
    provenance.record(tmp_path, seed=3)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(RunError, match="already holds a run; choose another directory"):
        provenance.claim(tmp_path)
    assert (tmp_path / "run.json").read_bytes() == before


def test_a_directory_with_folds_of_another_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fold_0").mkdir()
    with pytest.raises(RunError, match="already holds a run"):
        provenance.claim(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["fold_0"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match=r"Cannot write .*choose another folder"):
        provenance.claim(tmp_path / "file" / "run")


def test_facts_are_added_and_the_last_word_counts(tmp_path: Path) -> None:
    provenance.claim(tmp_path)
    provenance.record(tmp_path, seed=3, folds={"fold_0": 1})
    provenance.record(tmp_path, folds={"fold_1": 2})
    found = facts(tmp_path)
    assert (found["seed"], found["folds"], found["status"]) == (3, {"fold_1": 2}, "running")


@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
def test_the_end_is_recorded(tmp_path: Path, status: provenance.Status) -> None:
    provenance.claim(tmp_path)
    provenance.finish(tmp_path, status, None if status == "finished" else ValueError("too bad"))
    found = facts(tmp_path)
    assert found["status"] == status
    assert found["ended"] >= found["started"]
    assert found.get("error") == (None if status == "finished" else "ValueError: too bad")


def test_only_a_finished_run_is_read(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run directory"):
        provenance.read_finished(tmp_path)
    provenance.claim(tmp_path)
    with pytest.raises(RunError, match="is no run directory"):
        provenance.read_finished(tmp_path)  # without its config it cannot be repeated
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("seed: 0\n", encoding="utf-8")
    for status in ("running", "failed", "interrupted"):
        provenance.record(tmp_path, status=status)
        with pytest.raises(RunError, match=rf"is not finished \(status: {status}\)"):
            provenance.read_finished(tmp_path)
    provenance.finish(tmp_path, "finished")
    with pytest.raises(RunError, match="damaged"):
        provenance.read_finished(tmp_path)  # there are no folds
    provenance.record(tmp_path, dataset={}, splits="abc", folds={})
    assert provenance.read_finished(tmp_path) == facts(tmp_path)
    (tmp_path / "run.json").write_text('{"status": ', encoding="utf-8")
    with pytest.raises(RunError, match="damaged"):
        provenance.read_finished(tmp_path)


def test_a_later_detection_keeps_what_still_holds(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    provenance.claim(run)
    provenance.record(run, dataset={"name": "sine"}, seed=4, splits="abc", folds={"fold_0": {}}, detectors=["knn"])
    out.mkdir()
    provenance.record_detection(out, run, ["pca"])
    found = facts(out)
    assert (found["status"], found["detection_of"]) == ("finished", str(run.resolve()))
    assert (found["dataset"], found["seed"], found["splits"]) == ({"name": "sine"}, 4, "abc")
    assert found["detectors"] == ["pca"]
    assert "folds" not in found
    assert "started" not in found


def test_versions_of_absent_packages_are_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    provenance.claim(tmp_path)
    versions = facts(tmp_path)["versions"]
    assert versions["no-such-package"] is None
    assert versions["numpy"]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a checkout with one commit, from which the module pretends to run."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # inside a git hook they would name the project's own repository
    package = tmp_path / "src" / "ecgan"
    package.mkdir(parents=True)
    (package / "provenance.py").write_text("", encoding="utf-8")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
    return package


def test_git_state_names_commit_and_changes(checkout: Path, tmp_path: Path) -> None:
    provenance.claim(tmp_path / "one")
    head = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    state = facts(tmp_path / "one")["git"]
    assert state["commit"] == head.stdout.strip()
    (checkout / "provenance.py").write_text("changed", encoding="utf-8")
    provenance.claim(tmp_path / "two")
    assert facts(tmp_path / "two")["git"] == {"commit": state["commit"], "dirty": True}


def test_git_state_is_null_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "site-packages" / "ecgan" / "provenance.py"))
    provenance.claim(tmp_path / "run")
    assert facts(tmp_path / "run")["git"] is None
