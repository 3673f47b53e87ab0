"""A real browser without a screen: does a page fit, and is everything on it there?"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--window-size=1400,1000",
    "--virtual-time-budget=5000",
)
# the page lies in a frame of the width asked for, since no window is as narrow as a telephone
FRAME = """<!doctype html><link rel="icon" href="data:,"><iframe id="page" style="width:{width}px;height:900px;border:0"
srcdoc="{page}"></iframe><pre id="found"></pre><script>
document.getElementById("page").addEventListener("load", event => {{
  const page = event.target.contentDocument, images = [...page.images];
  page.querySelectorAll("details").forEach(part => part.open = true);
  const width = page.scrollingElement.clientWidth;
  const outside = [...page.querySelectorAll("body *")].filter(part => !part.closest(".wide, pre")
    && part.getBoundingClientRect().right > width + 1).map(part => part.outerHTML.slice(0, 80));
  document.getElementById("found").textContent = JSON.stringify({{
    width: width, scroll: page.scrollingElement.scrollWidth, outside: outside, images: images.length,
    broken: images.filter(image => !image.naturalWidth).length, height: page.scrollingElement.scrollHeight,
    boxes: [...page.querySelectorAll(".wide")].filter(box => box.scrollWidth > box.clientWidth).length,
    color: getComputedStyle(page.body).color, ground: getComputedStyle(page.body).backgroundColor}});
}});
</script>"""


@dataclass(frozen=True)
class Seen:
    """What a browser makes of a page.

    Attributes:
        width: room for the page.
        scroll: width that the page takes.
        outside: parts that stick out of it.
        images: number of them.
        broken: those that show nothing.
        height: of the page with everything opened.
        boxes: tables that scroll inside their own box.
        color: of the text.
        ground: behind it.
        console: messages of the browser's console.
    """

    width: int
    scroll: int
    outside: list[str]
    images: int
    broken: int
    height: int
    boxes: int
    color: str
    ground: str
    console: list[str]


def look_at(page: Path, width: int, folder: Path, dark: bool = False) -> Seen:
    """Open a page at a width, or skip the test where there is no browser."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)} is installed")
    frame = folder / "frame.html"
    text = page.read_text("utf-8")
    frame.write_text(FRAME.format(width=width, page=html.escape(text)), encoding="utf-8")
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [browser, *FLAGS, scheme, profile, "--dump-dom", frame.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'<pre id="found">(.+?)</pre>', done.stdout, re.S)
    assert found is not None, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Seen(**json.loads(html.unescape(found[1])), console=console)
