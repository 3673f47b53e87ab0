"""The list of data sets, and what every source must say of itself."""

from __future__ import annotations

import pytest

from commands import Command
from ecgan.catalog import COLUMNS, sources
from ecgan.data.source import Source
from ecgan.usage import options

NAMES = options("dataset")


@pytest.fixture(scope="module")
def known() -> dict[str, Source]:
    return sources()


def test_every_file_of_the_group_is_a_source(known: dict[str, Source]) -> None:
    assert list(known) == NAMES
    assert all(isinstance(source, Source) for source in known.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_tells_what_a_user_must_know(known: dict[str, Source], name: str) -> None:
    text = " ".join(str(type(known[name]).__doc__).split())
    assert "unit" in text.lower()
    assert "Hz" in text or "sampling rate" in text
    if known[name].card.license != "none needed":
        assert "Licence" in text or "License" in text
        assert "Cite" in text
        assert "Trap" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_card_agrees_with_what_is_expected(known: dict[str, Source], name: str) -> None:
    source = known[name]
    expected = {key: n for key, n in source.expected.items() if key != "records"}
    if expected:
        assert list(expected) == list(source.classes)
        assert source.card.series in (None, sum(expected.values()))
    assert source.card.title
    assert source.version
    assert len(set(source.classes)) == len(source.classes)


def test_the_list_names_every_data_set(command: Command) -> None:
    out = command("preprocess", "--list").worked()
    for name, source in sources().items():
        assert name in out
        assert source.card.title in out
    words = out.split()
    assert {word for column in COLUMNS for word in column.split()} <= set(words)
