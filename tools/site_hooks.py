"""Hooks of MkDocs: pages that are made while the site is built, so that they cannot be stale."""

from __future__ import annotations

from typing import Any

import data_cards
import model_cards
import site_reference


def on_files(files: Any, config: Any) -> Any:
    """Add the pages."""
    from mkdocs.structure.files import File

    for place, text in {**site_reference.pages(), **data_cards.pages(), **model_cards.pages()}.items():
        files.append(File.generated(config, place, content=text))
    return files
