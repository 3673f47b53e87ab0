"""Listing the files of large databases; this runs on every start, so nothing is opened and little is asked."""

from __future__ import annotations

import os
from pathlib import Path


def names_below(raw: Path, folder: str, suffixes: tuple[str, ...]) -> list[str]:
    """Names below ``raw`` of the files in ``folder`` and its folders, sorted; empty where it is not there.

    ``Path.glob`` and a question for each file take ten times as long where there are tens of thousands.
    """
    found = []
    for place, _, names in os.walk(raw / folder):
        prefix = Path(place).relative_to(raw).as_posix()
        found += [f"{prefix}/{name}" for name in names if name.endswith(suffixes)]
    return sorted(found)
