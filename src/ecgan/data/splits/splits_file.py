"""``splits.json``: which series trains, validates and tests in which fold, written down before training."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import IO, Any

import numpy as np

from ecgan.errors import DataError, RunError
from ecgan.files import read_json, replacing
from ecgan.types import Fold, IntArray

PARTS = ("train", "val", "test")
AT_ONCE = 65536
"""Indices that are turned into text at once; as Python numbers, all of them would need ten times the room."""

INDICES = re.compile(rb'"(train|val|test)"\s*+:\s*+\[\s*+(\d[\d\s,]*+)\]')
BUNDLED = Path(__file__).parents[1] / "bundled"


def data_facts(label: IntArray, group: IntArray | None) -> dict[str, Any]:
    """What tells data apart for which the same indices would name other series."""
    return {
        "n_series": len(label),
        "groups_known": group is not None,
        "label_sha256": _sha256(label),
        "group_sha256": None if group is None else _sha256(group),
    }


def write_splits(path: Path, folds: list[Fold], facts: dict[str, Any], protocol: dict[str, Any]) -> str:
    """Write ``splits.json`` and return the digest of its indices.

    Args:
        path: where to.
        folds: all folds of the run.
        facts: about the data, see ``data_facts``.
        protocol: how the folds were made, in words and settings.
    """
    sha256 = digest_of(folds)
    head = json.dumps({"protocol": protocol, **facts, "sha256": sha256}, separators=(",", ":"))
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f'{head[:-1]},"folds":[')
        for position, fold in enumerate(folds):
            stream.write(f'{"," if position else ""}{{"fold":{fold.number}')
            for name in PARTS:
                _write_indices(stream, name, getattr(fold, name))
            stream.write("}")
        stream.write("]}\n")
    return sha256


def _write_indices(stream: IO[str], name: str, indices: IntArray) -> None:
    stream.write(f',"{name}":[')
    for start in range(0, len(indices), AT_ONCE):
        numbers = ",".join(map(str, indices[start : start + AT_ONCE].tolist()))
        stream.write(f"{',' if start else ''}{numbers}")
    stream.write("]")


def read_splits(path: Path) -> tuple[list[Fold], dict[str, Any]]:
    """Read ``splits.json``: the folds, and what else it says.

    Raises:
        RunError: when the file is missing or damaged, or its indices do not match their digest.
    """
    content, lists = read_json(path, _parse)
    try:
        folds = [
            Fold(entry["fold"], *(_indices(entry[name], lists) for name in PARTS)) for entry in content.pop("folds")
        ]
        if digest_of(folds) != content["sha256"]:
            raise RunError(f"The indices in {path} do not match their digest; the file was changed or is damaged.")
        if [fold.number for fold in folds] != list(range(len(folds))):
            raise RunError(f"The folds in {path} are not numbered from 0 on; use a file written by ecgan-train.")
        return folds, content | {"n_series": int(content["n_series"])}
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunError(f"{path} is not a splits file ({error}); use one written by ecgan-train.") from error


def _parse(raw: bytes) -> tuple[Any, list[IntArray]]:
    """Parse JSON with the indices of its parts set aside as arrays and their positions there in their place."""
    lists: list[IntArray] = []

    def set_aside(match: re.Match[bytes]) -> bytes:
        lists.append(np.fromstring(match[2], np.int64, sep=","))
        return b'"%s":%d' % (match[1], len(lists) - 1)

    return json.loads(INDICES.sub(set_aside, raw)), lists


def _indices(value: Any, lists: list[IntArray]) -> IntArray:
    return lists[value] if isinstance(value, int) else np.asarray(value, np.int64)


def folds_for(path: Path, label: IntArray, group: IntArray | None) -> list[Fold]:
    """Read the folds that an earlier run has made of the same data.

    Raises:
        DataError: when the file was made for other data, or does not tell for which.
    """
    folds, content = read_splits(path)
    now = data_facts(label, group)
    if content.get("label_sha256") is None:
        raise DataError(
            f"{path} does not tell for which data it was made (it has no label_sha256), so that its indices may name "
            "other series; make it anew with ecgan-train."
        )
    if content["n_series"] != len(label):
        raise DataError(
            f"{path} was made for {content['n_series']} series but the data set has {len(label)}; use the same data."
        )
    for key, what in (("label_sha256", "labels"), ("group_sha256", "patients")):
        if content.get(key) not in (None, now[key]):  # patients may have become known since
            raise DataError(
                f"{path} was made for as many series with other {what}, so that its indices name other series; use the "
                "data set, preprocessing and settings of the run that wrote it."
            )
    if not folds:
        raise DataError(f"{path} holds no folds; use one written by ecgan-train.")
    return [fold.check(len(label)) for fold in folds]


def told_by(path: Path) -> tuple[str, dict[str, int]]:
    """How the folds of a file were made, in words, and how many series they leave out, by reason.

    Raises:
        RunError: when the file is no splits file.
    """
    protocol = read_splits(path)[1].get("protocol", {})
    try:
        left_out = {str(reason): int(count) for reason, count in protocol.get("left_out", {}).items()}
        return str(protocol.get("description", "")), left_out
    except (AttributeError, TypeError, ValueError) as error:
        raise RunError(f"The protocol in {path} is damaged ({error}); use a file written by ecgan-train.") from error


def located(path: str) -> Path:
    """The splits file of this path; a mere name may be that of one that comes with the package."""
    file = Path(path)
    packed = BUNDLED / file.name
    return packed if file == Path(file.name) and packed.is_file() else file


def digest_of(folds: list[Fold]) -> str:
    """Sha256 of the indices of all folds, each part led by its size."""
    sha256 = hashlib.sha256()
    for fold in folds:
        for name in PARTS:
            indices = np.ascontiguousarray(getattr(fold, name), "<i8")
            sha256.update(np.asarray([fold.number, indices.size], "<i8").data)
            sha256.update(indices.data)
    return sha256.hexdigest()


def _sha256(values: IntArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values, "<i8").data).hexdigest()
