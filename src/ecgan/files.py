"""Reading and writing files so that nobody ever sees half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgan.errors import DataError, RunError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a temporary name beside ``path`` and rename it over ``path`` when the block succeeds.

    The temporary file or folder is removed when the block fails.

    Raises:
        RunError: when the disk is full or the place cannot be written.
    """
    # not the process's number, which two machines or containers that share a disk may have in common
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise RunError(explain_os_error(error, path)) from error
    finally:
        with suppress(OSError):  # the first error says more than one about cleaning up
            _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that a killed process has left anywhere below a folder that nobody else writes into."""
    for left in list(folder.rglob(".*.part")):
        _remove(left)


def explain_os_error(error: OSError, path: Path) -> str:
    """Say in one sentence why ``path`` could not be written and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full while writing {path}; free some space and run the same command again."
    return (
        f"Cannot write {path} ({error.strerror or error}); "
        "choose another folder, for example with paths.outputs=… or paths.data=…."
    )


@contextmanager
def reading(place: Path) -> Iterator[None]:
    """Turn errors of the system while raw files are read into a sentence that says so.

    Raises:
        DataError: naming the file, or the place where the error names none.
    """
    try:
        yield
    except OSError as error:
        file = error.filename or place
        raise DataError(
            f"Cannot read {file} ({error.strerror or error}); check its permissions and its disk."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file in one piece."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_figure(path: Path, figure: Figure) -> None:
    """Write a matplotlib figure as PNG, with the same bytes every time."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def write_json(path: Path, content: Any) -> None:
    """Write JSON in one piece; NaN, which JSON does not know, becomes null."""
    write_text(path, json.dumps(_without_nan(content), indent=2, allow_nan=False) + "\n")


def read_json(path: Path, parse: Callable[[bytes], Any] = json.loads) -> Any:
    """Read JSON.

    Args:
        path: the file.
        parse: turns its bytes into objects.

    Raises:
        RunError: when the file is missing or damaged.
    """
    try:
        return parse(path.read_bytes())
    except FileNotFoundError as error:
        raise RunError(
            f"{path} is missing; the folder is incomplete, so run the command that made it again."
        ) from error
    except (ValueError, OSError) as error:
        raise RunError(f"{path} is damaged ({error}); run the command that made it again.") from error


def sha256_of(path: Path) -> str:
    """Checksum of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(content: Any) -> str:
    """Sha256 of the canonical JSON of plain data."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _without_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _without_nan(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
