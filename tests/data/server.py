"""An HTTP server on the loopback that can break in the ways that servers do, and a file for it."""

import hashlib
import re
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from fernn.data.digests import Digest

NAME = "boxing.zip"
CONTENT = bytes(i * i % 251 for i in range(300_000))
RIGHT = Digest("sha256", hashlib.sha256(CONTENT).hexdigest())
SHA1 = Digest("sha1", hashlib.sha1(CONTENT).hexdigest())


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    `status`: this error instead of the file. `cut`: the connection ends after so many bytes of the body. `stall`: after
    so many bytes nothing more comes until the server closes. `piece`: a range is answered with no more than so many
    bytes. `garble`: the bytes are wrong. `drop`: no answer at all.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: int | None = None
    piece: int | None = None
    garble: bool = False
    drop: bool = False


@dataclass
class Request:
    """A request that came: its path and headers, and the status it was answered with."""

    path: str
    range: str | None
    status: int | None = None


class Server:
    """Serves `files` by name, in a `with` block. `faults[name]` are used up, one a request, before all goes well.

    Whether range requests are understood: `ranges`. Whether the size is sent: `sizes`.
    """

    def __init__(self, ranges: bool = True, sizes: bool = True) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self.requests: list[Request] = []
        self.ranges, self.sizes = ranges, sizes
        self.closing = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/"

    def url(self, name: str) -> str:
        return self.base + name

    def asked(self, name: str) -> list[Request]:
        return [request for request in self.requests if request.path == f"/{name}"]

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805 (self is the handler's)
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.close_connection = True
                name = self.path.removeprefix("/")
                record = Request(self.path, self.headers.get("Range"))
                server.requests.append(record)
                fault = server.faults[name].pop(0) if server.faults[name] else Fault()
                if fault.drop:
                    return
                content = server.files.get(name)
                status = fault.status or (200 if content is not None else 404)
                if status >= 400 or content is None:
                    record.status = status
                    self.answer(status, b"", {"Content-Length": "0", **fault.headers})
                    return
                headers: dict[str, str] = {}
                match = re.fullmatch(r"bytes=(\d+)-", record.range or "")
                body = content
                if match and server.ranges:
                    start = int(match[1])
                    status = 206 if start < len(content) else 416
                    body = content[start:][: fault.piece]
                    span = f"{start}-{start + len(body) - 1}" if status == 206 else "*"
                    headers["Content-Range"] = f"bytes {span}/{len(content)}"
                if server.sizes:
                    headers["Content-Length"] = str(len(body))
                record.status = status
                if fault.garble:
                    body = bytes(255 - byte for byte in body)
                end = fault.cut if fault.cut is not None else fault.stall
                self.answer(status, body[:end], headers)
                if fault.stall is not None:
                    self.wfile.flush()
                    server.closing.wait(30)

            def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.end_headers()
                with suppress(ConnectionError):  # the client may go away
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
