"""Environments of other software: made once, with the exact versions of ``foreign/requirements-*.txt``."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

FOREIGN = Path(__file__).parent / "foreign"
MADE = Path(__file__).resolve().parents[2] / "build" / "versus"


def python_of(name: str, given: Path | None = None) -> Path:
    """The interpreter of an environment, which is made where it is missing or has other versions.

    Args:
        name: of ``foreign/requirements-<name>.txt``.
        given: interpreter of an environment that is there already.
    """
    if given is not None:
        return given.absolute()
    wanted = FOREIGN / f"requirements-{name}.txt"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    folder = MADE / name
    python, mark = folder / "bin" / "python", folder / "requirements.sha256"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != digest:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
        mark.write_text(digest, encoding="utf-8")
    return python
