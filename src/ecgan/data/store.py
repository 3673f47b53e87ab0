"""The processed arrays on disk: written once, memory-mapped ever after."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ecgan.data.building import build_store
from ecgan.data.source import Source
from ecgan.errors import DataError, RunError
from ecgan.files import read_json, replacing
from ecgan.types import FloatArray, IntArray, Step

ARRAYS = ("data", "label", "group", "part")
VERIFIED_AT_ONCE = 8192
FORMAT = "2"
"""Changes with what stands in a manifest or how arrays are written, so that no older store is opened."""


@dataclass(frozen=True)
class Store:
    """Processed series of one data set.

    Attributes:
        directory: where the files lie.
        data: (N, C, T) float32, memory-mapped.
        label: (N,) class, 0 is normal.
        group: (N,) patient or record, None if the source does not tell.
        part: (N,) the source's own partition, None if it has none.
        manifest: facts about the arrays: counts, what was left out, unit, sampling rate, checksums.
    """

    directory: Path
    data: FloatArray
    label: IntArray
    group: IntArray | None
    part: IntArray | None
    manifest: dict[str, Any]

    def __len__(self) -> int:
        """Count the series."""
        return len(self.label)


def prepare(
    source: Source, steps: Sequence[Step], raw: Path, directory: Path, facts: dict[str, Any], workers: int = 1
) -> Store:
    """Open the store, or build it from raw files.

    Two processes that ask at once build it once. The store appears under its name only when it is complete.

    Args:
        source: reads the raw files.
        steps: preprocessing, in order.
        raw: folder of the raw files.
        directory: where the store lies or will lie; its name is the digest of all that it depends on.
        facts: what the manifest shall say besides (name, checksums, settings).
        workers: processes that read; the store does not depend on their number.
    """
    if not (directory / "manifest.json").exists():
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"Cannot create {directory.parent} ({error.strerror}); set paths.data=… .") from error
        with FileLock(directory.with_suffix(".lock")):
            if not (directory / "manifest.json").exists():
                # without a manifest it is a store that somebody began to delete; a folder cannot be renamed over it
                shutil.rmtree(directory, ignore_errors=True)
                for left in directory.parent.glob(f".{directory.name}.*.part"):  # by a process that was killed
                    shutil.rmtree(left, ignore_errors=True)
                with replacing(directory) as temporary:
                    temporary.mkdir()
                    build_store(source, steps, raw, temporary, facts, workers)
    return open_store(directory)


def open_store(directory: Path) -> Store:
    """Memory-map an existing store and check its sizes against the manifest.

    Raises:
        DataError: when files are missing or have another size than the manifest says.
    """
    arrays: dict[str, Any] = dict.fromkeys(ARRAYS)
    path = directory / "manifest.json"
    try:
        manifest = read_json(path)
        for name, entry in manifest["arrays"].items():
            path = directory / f"{name}.npy"
            arrays[name] = _mapped(path, entry)
    except (RunError, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is damaged or incomplete; delete {directory} and run the same command again."
        ) from error
    return Store(directory, **arrays, manifest=manifest)


def verify(store: Store) -> None:
    """Compare every value of the store with the checksums in its manifest.

    Raises:
        DataError: when an array is not what was written.
    """
    for name, entry in store.manifest["arrays"].items():
        values, sha256 = getattr(store, name), hashlib.sha256()
        for start in range(0, len(values), VERIFIED_AT_ONCE):
            sha256.update(np.ascontiguousarray(values[start : start + VERIFIED_AT_ONCE]).data)
        if sha256.hexdigest() != entry["sha256"]:
            raise DataError(
                f"{store.directory / name}.npy was changed since it was written; delete {store.directory} and run the "
                "same command again."
            )


def _mapped(path: Path, entry: dict[str, Any]) -> Any:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if list(array.shape) != entry["shape"] or path.stat().st_size != entry["bytes"]:
        raise ValueError("the size is not the one in the manifest")
    return array
