"""``run.json``: what ran, on what, with which versions, and how it ended."""

from __future__ import annotations

import logging
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from ecgan.errors import RunError
from ecgan.files import read_json, write_json

Status = Literal["running", "finished", "incomplete", "failed", "interrupted"]
"""Incomplete: some of the folds failed, the others have results."""
KEPT = ("dataset", "protocol", "seed", "splits")
"""What of a run holds for later detections too."""
AGAIN = ("command", "host", "versions", "git")
"""What is written down anew each time that a run goes on."""
PACKAGES = (
    "ecgan",
    "torch",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
)


def refuse_taken(directory: Path) -> None:
    """Refuse a directory that holds a run, or what is left of one.

    Raises:
        RunError: then.
    """
    if (directory / "run.json").exists() or any(directory.glob("fold_*")):
        raise RunError(f"{directory} already holds a run; choose another directory.")


def claim(directory: Path) -> None:
    """Write the first ``run.json`` of a run.

    Raises:
        RunError: when the directory cannot be written or holds a run.
    """
    refuse_taken(directory)
    write_json(directory / "run.json", {"status": "running", "started": _now(), **_surroundings()})


def record(directory: Path, **facts: Any) -> None:
    """Add facts to ``run.json``."""
    path = directory / "run.json"
    write_json(path, read_facts(directory) | facts)


def finish(directory: Path, status: Status, error: BaseException | None = None) -> None:
    """Write how the run ended."""
    facts: dict[str, Any] = {"status": status, "ended": _now()}
    if error is not None:
        facts["error"] = f"{type(error).__name__}: {error}"
    record(directory, **facts)


class _Log(logging.FileHandler):
    """``ecgan.log``. A line that the disk has no room for is lost without a word: something else will say so."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Lose the line."""


@contextmanager
def logged(directory: Path) -> Iterator[None]:
    """Log to ``ecgan.log`` of a run for the length of the block."""
    handler = _Log(directory / "ecgan.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("ecgan")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()


def read_finished(directory: Path) -> dict[str, Any]:
    """Read ``run.json`` of a run that has ended, with results for all of its folds or some; ``folds`` holds those.

    Raises:
        RunError: when the directory is no run, or the run was not finished.
    """
    if not (directory / "run.json").is_file() or not (directory / ".hydra" / "config.yaml").is_file():
        raise RunError(f"{directory} is no run directory; name one that ecgan-train printed, with run.json in it.")
    facts = read_facts(directory)
    status = facts.get("status") if isinstance(facts, dict) else None
    if status not in ("finished", "incomplete"):
        raise RunError(f"{directory} is not finished (status: {status}); train it again first.")
    if "detection_of" in facts:
        raise RunError(
            f"{directory} is a later detection; name the run that it was made from: {facts['detection_of']}."
        )
    missing = [key for key in ("cwd", "dataset", "splits", "folds") if key not in facts]
    if missing:
        raise RunError(f"{directory / 'run.json'} is damaged ({missing[0]} is missing); train again.")
    facts["folds"] = {name: fold for name, fold in facts["folds"].items() if fold.get("status") != "failed"}
    return facts


def read_run(directory: Path) -> dict[str, Any]:
    """Read ``run.json`` of a run, however far it came.

    Raises:
        RunError: when the directory is no run, or a later detection, or its ``run.json`` is damaged.
    """
    if not (directory / "run.json").is_file() or not (directory / ".hydra" / "config.yaml").is_file():
        raise RunError(f"{directory} is no run directory; name one that ecgan-train printed, with run.json in it.")
    facts = read_facts(directory)
    if not isinstance(facts, dict) or not {"status", "cwd"} <= set(facts):
        raise RunError(f"{directory / 'run.json'} is damaged (there is no status in it); train again.")
    if "detection_of" in facts:
        raise RunError(f"{directory} is a later detection, which cannot go on; ecgan-detect makes it anew.")
    return facts


def reopen(directory: Path, facts: Mapping[str, Any]) -> None:
    """Write down that a run of which these facts were known goes on, where and with what."""
    ways = {key: value for key, value in _surroundings().items() if key in AGAIN}
    resumed = [*facts.get("resumed", []), {"when": _now(), "from": facts["status"], **ways}]
    kept = {key: value for key, value in facts.items() if key not in ("ended", "error")}
    write_json(directory / "run.json", kept | {"status": "running", "resumed": resumed})


def differences(facts: Mapping[str, Any]) -> list[str]:
    """What is not as it was when a run began, as far as it may change digits; one sentence, or none."""
    now = _surroundings()
    versions = [
        f"{name} {now['versions'].get(name)} instead of {before}"
        for name, before in facts.get("versions", {}).items()
        if now["versions"].get(name) != before
    ]
    commits = [(state or {}).get("commit") for state in (facts.get("git"), now["git"])]
    if commits[0] != commits[1]:
        versions.append("another commit of ecgan")
    return [f"the run goes on with {', '.join(versions)}; its numbers may differ"] if versions else []


def record_detection(directory: Path, run_directory: Path, detectors: list[str]) -> None:
    """Write a ``run.json`` for a later detection: what of the original still holds, and when and where it ran."""
    kept = {key: value for key, value in read_facts(run_directory).items() if key in KEPT}
    facts = {"status": "finished", "detection_of": str(run_directory.resolve()), "ended": _now(), **kept}
    facts["detectors"] = detectors
    write_json(directory / "run.json", facts | _surroundings())


def read_facts(directory: Path) -> dict[str, Any]:
    """Read ``run.json`` of a directory that is known to be a run."""
    facts: dict[str, Any] = read_json(directory / "run.json")
    return facts


def _surroundings() -> dict[str, Any]:
    return {
        "command": shlex.join(sys.argv),
        "cwd": str(Path.cwd()),
        "host": platform.node(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "versions": {name: _version(name) for name in PACKAGES},
        "git": _git_state(Path(__file__).parent),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_state(place: Path) -> dict[str, Any] | None:
    """Commit of the checkout that the package runs from; None when it was installed from a wheel."""
    if not (place.parents[1] / ".git").exists():
        return None
    try:
        commit = _git(place, "rev-parse", "HEAD")
        return {"commit": commit.strip(), "dirty": bool(_git(place, "status", "--porcelain").strip())}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(place: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", "-C", str(place), *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
