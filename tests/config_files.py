"""The files in conf/, as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ecgan.usage import conf_dir

FILES = sorted(file.relative_to(conf_dir()) for file in conf_dir().glob("*/*.yaml"))


def content_of(file: Path) -> dict[str, Any]:
    """A file's own settings, and those of a loss that it takes in."""
    content: dict[str, Any] = yaml.safe_load((conf_dir() / file).read_text(encoding="utf-8"))
    for entry in content.pop("defaults", []):
        for place, name in entry.items() if isinstance(entry, dict) else ():
            if place.startswith("/loss@"):
                content[place.removeprefix("/loss@")] = content_of(Path("loss") / f"{name}.yaml")
    return content
