"""Files behind an address: copied there, read back, compared, and tried again."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ecgan.errors import ConfigError, RunError
from ecgan.files import sha256_of

log = logging.getLogger(__name__)

PAUSES_S = (1.0, 4.0, 16.0)
"""How long to wait after each failed try but the last."""
PIECE = 2**22
OPTIONS: dict[str, dict[str, Any]] = {
    # botocore's own patience is minutes for each call
    "s3": {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 2}}},
}
EXTRAS = {"s3": "'ecgan[s3]'", "s3a": "'ecgan[s3]'", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
"""What to install for an address, where it is not a package of the same name."""

Sleep = Callable[[float], None]


def check_address(address: str) -> None:
    """Refuse an address that nothing can be copied to.

    Raises:
        ConfigError: when its kind is unknown or the package for it is not installed.
    """
    from fsspec.registry import known_implementations

    scheme, mark, rest = address.partition("://")
    if not mark or not rest or scheme not in known_implementations:
        raise ConfigError(
            f"tracker.checkpoints is {address!r} but must be an address such as s3://bucket/prefix, of a kind that "
            "fsspec knows."
        )
    package = known_implementations[scheme]["class"].partition(".")[0]
    if find_spec(package) is None:
        extra = EXTRAS.get(scheme, package)
        raise ConfigError(
            f"tracker.checkpoints={address} needs a package that is not installed; install it with: "
            f"python -m pip install {extra}."
        )


def upload(files: Mapping[str, Path], address: str, sleep: Sleep = time.sleep) -> None:
    """Copy files to an address, each of them read back and compared; what is there already is not sent again.

    Args:
        files: by their paths below the address.
        address: of the folder.
        sleep: waits between two tries.

    Raises:
        RunError: when a file is not there, as it is here, after all tries; other files have been copied.
    """
    from fsspec.core import url_to_fs

    scheme = address.partition("://")[0]
    options = OPTIONS.get(scheme, {})
    system, root = url_to_fs(address, skip_instance_cache=True, use_listings_cache=False, **options)
    failed = []
    for name, file in files.items():
        error = _copied(system, file, f"{root.rstrip('/')}/{name}", sleep)
        if error:
            failed.append(f"{name} ({error})")
    if failed:
        raise RunError(f"{len(failed)} of {len(files)} files were not copied to {address}: {', '.join(failed)}.")


def _copied(system: Any, file: Path, target: str, sleep: Sleep) -> str:
    """Copy one file, several times if need be; return why it could not be done."""
    expected, why = (file.stat().st_size, sha256_of(file)), ""
    for pause in (*PAUSES_S, None):
        try:
            if _there(system, target) == expected:
                return ""
            system.makedirs(target.rpartition("/")[0], exist_ok=True)
            system.put_file(str(file), target)
            if _there(system, target) == expected:
                return ""
            why = "what was read back differs"
        except Exception as error:
            why = _first_line(error)
        log.info("copying %s to %s: %s", file, target, why)
        if pause is not None:
            sleep(pause)
    return why


def _there(system: Any, target: str) -> tuple[int, str] | None:
    """Size and checksum of what is behind an address, read back; None if there is nothing."""
    try:
        size = int(system.info(target)["size"])
        checksum = hashlib.sha256()
        with system.open(target, "rb", block_size=PIECE) as stream:
            while piece := stream.read(PIECE):
                checksum.update(piece)
    except FileNotFoundError:
        return None
    return size, checksum.hexdigest()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}".rstrip(": .")
