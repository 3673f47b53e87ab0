"""A web server on this machine that behaves as badly as a test asks, and notes what it was asked."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """How to answer one request; the defaults are those of a good server.

    Attributes:
        status: an error, or 0 for the file.
        headers: sent besides.
        upto: close the connection when this many bytes have gone out.
        stall: send no more than ``upto`` bytes, but keep the connection open.
        content: other bytes than those of the file.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    upto: int | None = None
    stall: bool = False
    content: bytes | None = None


@dataclass
class Request:
    """What was asked and what went out."""

    path: str
    range: str | None
    if_range: str | None
    status: int = 0
    sent: int = 0


class WebServer(ThreadingHTTPServer):
    """Serves ``content`` by path; ``answers`` holds what is special about the next requests of a path.

    Attributes:
        ranges: whether Range is understood.
        if_range: whether If-Range is understood.
        etag: by path, sent with the file.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content: dict[str, bytes] = {}
        self.answers: dict[str, list[Answer]] = {}
        self.etag: dict[str, str] = {}
        self.ranges = self.if_range = True
        self.requests: list[Request] = []
        self.finished = threading.Event()
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: WebServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        asked = Request(self.path, self.headers["Range"], self.headers["If-Range"])
        with self.server.lock:
            self.server.requests.append(asked)
            coming = self.server.answers.get(self.path)
            answer = coming.pop(0) if coming else Answer()
        content = self.server.content.get(self.path) if answer.content is None else answer.content
        if answer.status or content is None:
            self._head(asked, answer.status or 404, {"Content-Length": "0", **answer.headers})
            return
        tag = self.server.etag.get(self.path)
        headers = ({"ETag": tag} if tag else {}) | answer.headers
        start = self._start(asked, tag)
        if start is not None and start >= len(content):
            self._head(asked, 416, {"Content-Length": "0", "Content-Range": f"bytes */{len(content)}", **headers})
            return
        if start is not None:
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}", **headers}
        body = content[start or 0 :]
        self._head(asked, 200 if start is None else 206, {"Content-Length": str(len(body)), **headers})
        self._body(asked, body[: answer.upto])
        if answer.stall:
            self.server.finished.wait(30)
        if answer.upto is not None:
            self.close_connection = True

    def _start(self, asked: Request, tag: str | None) -> int | None:
        match = re.fullmatch(r"bytes=(\d+)-", asked.range or "")
        changed = self.server.if_range and asked.if_range is not None and asked.if_range != tag
        return int(match[1]) if match and self.server.ranges and not changed else None

    def _head(self, asked: Request, status: int, headers: dict[str, str]) -> None:
        asked.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, asked: Request, body: bytes) -> None:
        for start in range(0, len(body), 2**14):
            asked.sent += len(body[start : start + 2**14])  # before the client can see it and a test can look
            self.wfile.write(body[start : start + 2**14])

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@contextmanager
def serving() -> Iterator[WebServer]:
    """Run a server for the length of a block."""
    with WebServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.finished.set()
        running.shutdown()
        thread.join()
