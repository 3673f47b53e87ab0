"""Joint angles from the Acclaim formats of motion capture: a skeleton (``.asf``) and its motion (``.amc``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ecgan.errors import DataError
from ecgan.types import FloatArray

Freedoms = Mapping[str, tuple[str, ...]]
"""Degrees of freedom of each bone, such as ``("rx", "ry", "rz")``, in the order of their values in a motion."""


def read_skeleton(path: Path) -> Freedoms:
    """Read the degrees of freedom of each bone that has any.

    Raises:
        DataError: when the file is missing or is no skeleton in degrees.
    """
    freedoms: dict[str, tuple[str, ...]] = {}
    bone = ""
    for number, words in _lines(path):
        if words[0] == "begin":
            bone = ""
        elif words[0] == "name" and len(words) > 1:
            bone = words[1]
        elif words[0] == "dof":
            if not bone:
                raise DataError(
                    f"{path} has degrees of freedom without a bone in line {number}; put a whole copy there."
                )
            freedoms[bone] = tuple(word.lower() for word in words[1:])
        elif words[0] == "angle" and words[-1] != "deg":
            raise DataError(f"{path} has angles in {words[-1]!r} in line {number}; only deg can be read.")
    if not freedoms:
        raise DataError(f"{path} names no bone with a degree of freedom; put a whole copy there.")
    return freedoms


def read_angles(path: Path, freedoms: Freedoms, wanted: Sequence[tuple[str, str]]) -> FloatArray:
    """Read some angles of all frames of a motion.

    Args:
        path: of the ``.amc`` file.
        freedoms: of the skeleton.
        wanted: pairs of a bone and one of its degrees of freedom.

    Returns:
        (len(wanted), frames) float64, degrees.

    Raises:
        DataError: naming the line, when a frame or a bone is missing, or values are too few or no finite numbers.
    """
    lacking = [pair for pair in wanted if pair[1] not in freedoms.get(pair[0], ())]
    if lacking:
        bone, freedom = lacking[0]
        raise DataError(f"The skeleton of {path} has no {freedom} of {bone}; put the right .asf file there.")
    bones = {bone for bone, _ in wanted}
    frames: list[dict[str, list[float]]] = []
    number = 0
    for number, words in _lines(path):
        if len(words) == 1:
            _refuse_incomplete(path, number, frames, bones)
            if words[0] != str(len(frames) + 1):
                raise DataError(f"{path} has {words[0]!r} in line {number}, not frame {len(frames) + 1}; replace it.")
            frames.append({})
        elif words[0] in bones:
            if not frames:
                raise DataError(f"{path} has values before the first frame in line {number}; put a whole copy there.")
            frames[-1][words[0]] = _values(words, freedoms, path, number)
    _refuse_incomplete(path, number + 1, frames, bones)
    if not frames:
        raise DataError(f"{path} has no frames; put a whole copy there.")
    return np.array([[frame[bone][freedoms[bone].index(dof)] for frame in frames] for bone, dof in wanted])


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Numbers and words of the lines that are neither empty nor a comment nor a keyword."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); put a whole copy there.") from error
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1)]
    for number, words in lines:
        if words[:1] == [":RADIANS"]:
            raise DataError(f"{path} has angles in radians (line {number}); only degrees can be read.")
    return [(number, words) for number, words in lines if words and words[0][0] not in "#:"]


def _values(words: list[str], freedoms: Freedoms, path: Path, number: int) -> list[float]:
    bone, texts = words[0], words[1:]
    if len(texts) != len(freedoms[bone]):
        raise DataError(
            f"{path} has {len(texts)} values of {bone} in line {number} instead of {len(freedoms[bone])}; "
            "put whole copies of it and its skeleton there."
        )
    try:
        values = [float(text) for text in texts]
    except ValueError as error:
        raise DataError(f"{path} has no numbers in line {number} ({error}); put a whole copy there.") from error
    if not np.isfinite(values).all():
        raise DataError(f"{path} has a value that is not finite in line {number}; put a whole copy there.")
    return values


def _refuse_incomplete(path: Path, number: int, frames: list[dict[str, list[float]]], bones: set[str]) -> None:
    """Refuse a last frame that lacks a bone; it ends before line ``number``."""
    lacking = sorted(bones - set(frames[-1])) if frames else []
    if lacking:
        raise DataError(
            f"{path} has no {lacking[0]} in the frame that ends before line {number}; put a whole copy there."
        )
