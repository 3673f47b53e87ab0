"""``docs/tracking.md`` names every tracker, and the packages that the project offers for them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ecgan.usage import options

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tracking.md").read_text(encoding="utf-8")


def test_every_tracker_has_a_row_with_its_package() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    rows = dict(re.findall(r"^\| `tracker=(\w+)` \| (\S+) \|", PAGE, re.M))
    assert set(rows) == set(options("tracker"))
    assert {name: cell for name, cell in rows.items() if name != "local"} == {
        name: f"`ecgan[{name}]`" for name in extras if name in rows
    }
    assert {name for name in rows if name != "local"} <= set(re.findall(r"\w+", str(extras["test"])))
