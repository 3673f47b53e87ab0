"""Files behind an address: copied there, read back, compared, and tried again."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ecgan.errors import RunError
from ecgan.files import sha256_of

log = logging.getLogger(__name__)

PAUSES_S = (1.0, 4.0, 16.0)
"""How long to wait after each failed try but the last."""
PIECE = 2**22
OPTIONS: dict[str, dict[str, Any]] = {
    # botocore's own patience is minutes for each call
    "s3": {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 2}}},
}
BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss"}
"""What has no folders to make; s3fs would make the bucket itself, where its name is misspelt."""

Sleep = Callable[[float], None]


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
            if not BUCKETS & set(_protocols(system)):
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


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


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
