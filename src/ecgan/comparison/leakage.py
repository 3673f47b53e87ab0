"""The price of leakage: the same method with patients on both sides of the split, and with patients kept apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ecgan.comparison.rows import Row
from ecgan.comparison.settings import parsed

NOT_COMPARED = ("group", "only")
"""What pairs differ in, and what only chooses which folds are run."""


@dataclass(frozen=True)
class Pair:
    """The same method on the same data under both kinds of folds.

    Attributes:
        mixed: some groups are both in the test part and in another.
        apart: no group is in two parts.
        also: what else of the split differs, in words; empty where ``split.group`` alone does.
    """

    mixed: Row
    apart: Row
    also: str


def pairs_of(rows: Iterable[Row]) -> list[Pair]:
    """Pairs of rows, in the order of the rows.

    A row is paired with those whose splits differ in ``split.group`` alone; where there are none, with all that mix
    groups, and the pair says in what else they differ.
    """
    alike: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        known = row.protocol
        key = (known.dataset, known.data, row.model, row.method, row.detector, row.rule, row.supervision)
        alike[key].append(row)
    return [pair for group in alike.values() for pair in _pairs(group)]


def _pairs(group: list[Row]) -> list[Pair]:
    mixed = [row for row in group if any("test" in parts for parts in row.protocol.mixed_between)]
    found: list[Pair] = []
    for apart in (row for row in group if row.protocol.groups == "kept apart"):
        candidates = [Pair(row, apart, _also(row, apart)) for row in mixed]
        found += [pair for pair in candidates if not pair.also] or candidates
    return found


def _also(mixed: Row, apart: Row) -> str:
    """In which settings of the split two rows differ, besides ``group``."""
    one, other = (parsed(row.split_settings).get("split") or {} for row in (mixed, apart))
    keys = [key for key in {**one, **other} if key not in NOT_COMPARED and one.get(key) != other.get(key)]
    return ", ".join(f"{key}: {one.get(key)} / {other.get(key)}" for key in keys)
