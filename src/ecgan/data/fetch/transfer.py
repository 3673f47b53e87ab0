"""One file over HTTP: resumed where it stopped, tried again with patience, given up when the server stalls."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

CONNECT_S = 10.0
READ_S = 30.0
"""Longest silence of a server before it counts as stalled."""
ATTEMPTS = 5
"""Failures in a row, without a new byte in between, after which a file is given up."""
BACKOFF_S = 1.0
LONGEST_WAIT_S = 60.0
CHUNK = 2**16
WHOLE, PARTIAL, NOT_SATISFIABLE = 200, 206, 416
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
"""Answers after which it is worth asking again."""

Report = Callable[[int, int | None], None]
"""Called with the bytes of a file that are there and their final number, None where the server does not tell."""


class TransferError(Exception):
    """Why a file did not come, in a few words that fit into brackets."""


class Resuming:
    """A downloader for ``pooch.retrieve`` that goes on where an earlier one stopped, also one of a killed process.

    Bytes go to a ``.part`` file. A neighbor of it keeps what the server said of the version (ETag or Last-Modified);
    it is sent along as If-Range, so that bytes of two versions are never joined. Without that neighbor a download
    starts from zero.

    Args:
        session: connections that several downloads share.
        part: where the bytes go.
        checked: whether a checksum will be compared; only then is a version that the server does not name resumed.
        report: told about each piece that came.
        stop: when it is set the download gives up at the next piece.

    Raises:
        TransferError: from the call, when the file cannot be had.
    """

    def __init__(
        self, session: requests.Session, part: Path, checked: bool, report: Report, stop: threading.Event
    ) -> None:
        self.session, self.part, self.checked, self.report, self.stop = session, part, checked, report, stop
        self.version = part.with_name(f"{part.name}.version")

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download everything and rename it to ``output_file``."""
        from requests import ConnectionError as Unreachable
        from requests import HTTPError, RequestException, Timeout
        from requests.exceptions import ChunkedEncodingError

        failures, furthest = 0, self._size()
        while True:
            try:
                self._attempt(url)
                break
            except (Unreachable, Timeout, ChunkedEncodingError, HTTPError) as error:
                if error.response is not None and error.response.status_code not in TRANSIENT:
                    raise TransferError(_reason(error)) from error
                # only bytes beyond the furthest so far count as progress: a server may start from zero each time
                failures, furthest = (1, self._size()) if self._size() > furthest else (failures + 1, furthest)
                if failures >= ATTEMPTS:
                    raise TransferError(f"{_reason(error)}, {ATTEMPTS} times in a row") from error
                self._wait(url, error, failures)
            except RequestException as error:
                raise TransferError(_reason(error)) from error
        self.part.replace(output_file)
        self.version.unlink(missing_ok=True)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _wait(self, url: str, error: requests.RequestException, failures: int) -> None:
        asked = _retry_after(error.response.headers.get("Retry-After", "")) if error.response is not None else None
        seconds = min(BACKOFF_S * 2 ** (failures - 1) if asked is None else asked, LONGEST_WAIT_S)
        log.info("%s: %s; trying again in %.1f s", url, _reason(error), seconds)
        if self.stop.wait(seconds):
            raise TransferError("stopped")

    def _attempt(self, url: str) -> None:
        # compressed on the way, the bytes would not be those that Range counts
        headers = {"Accept-Encoding": "identity"}
        offset = self._size() if self.version.exists() else 0
        version = self.version.read_text(encoding="utf-8") if offset else ""
        if offset:
            headers["Range"] = f"bytes={offset}-"
        if version:
            headers["If-Range"] = version
        with self.session.get(url, headers=headers, stream=True, timeout=(CONNECT_S, READ_S)) as response:
            start, total = _content_range(response)
            if response.status_code == NOT_SATISFIABLE and offset and total == offset:
                return  # an earlier process was killed between the last byte and the new name
            if response.status_code == NOT_SATISFIABLE or (
                response.status_code == PARTIAL and (start != offset or _another(version, response))
            ):
                self._restart("the server cannot go on with these bytes")
            response.raise_for_status()
            if response.status_code == PARTIAL:
                self._receive(response, offset, total)
            elif response.status_code == WHOLE:
                length = response.headers.get("Content-Length", "")
                self._receive(response, 0, int(length) if length.isdecimal() else None)
            else:
                raise TransferError(_answered(response))

    def _restart(self, reason: str) -> None:
        from requests import ConnectionError as Unreachable

        self.version.unlink(missing_ok=True)
        self.part.unlink(missing_ok=True)
        raise Unreachable(reason)

    def _receive(self, response: requests.Response, offset: int, total: int | None) -> None:
        from requests import ConnectionError as Unreachable

        done = offset
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        if not offset:
            self.version.unlink(missing_ok=True)  # before the old bytes go: they must not pass for the new version
        with self.part.open("ab" if offset else "wb") as stream:
            version = _version(response)
            if not offset and not encoded and (version or self.checked):
                self.version.write_text(version, encoding="utf-8")
            self.report(done, total)
            for chunk in response.iter_content(CHUNK):
                if self.stop.is_set():
                    raise TransferError("stopped")
                stream.write(chunk)
                done += len(chunk)
                self.report(done, total)
        if total is not None and done > total and not encoded:
            self._restart(f"{done} bytes came instead of {total}")
        if total is not None and done < total and not encoded:
            raise Unreachable(f"{done} of {total} bytes came")


def _version(response: requests.Response) -> str:
    """What If-Range accepts: a strong ETag, else the date, else nothing."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _another(version: str, response: requests.Response) -> bool:
    """Whether a server that ignores If-Range goes on with another version."""
    came = response.headers.get("ETag" if version.startswith('"') else "Last-Modified")
    return bool(version and came and came != version)


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and length of the whole file, None where the header does not tell."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    first, total = match.groups() if match else (None, None)
    return (int(first) if first else None), (int(total) if total and total != "*" else None)


def _retry_after(header: str) -> float | None:
    """Seconds that a server asks to wait, given as a number or as a date."""
    if header.strip().isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _answered(response: requests.Response) -> str:
    return f"the server answered {response.status_code}"


def _reason(error: requests.RequestException) -> str:
    from requests import ConnectionError as Unreachable
    from requests import Timeout
    from requests.exceptions import ChunkedEncodingError

    if error.response is not None:
        return _answered(error.response)
    if isinstance(error, Timeout) or "timed out" in str(error):
        return "the server stopped answering"
    if isinstance(error, ChunkedEncodingError):
        return "the connection was cut"
    return "no connection to the server" if isinstance(error, Unreachable) else type(error).__name__
