"""An HTTP server for the files of one folder, on this machine alone: what the stand-ins are downloaded from."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def serve(folder: str | Path) -> Iterator[str]:
    """Serve the files that lie in `folder` itself, in a `with` block that is given the address in front of their names.

    It listens on a free port of the loopback, understands `bytes=N-` ranges with `If-Range`, and answers only requests
    for names that the folder lists, so no request leads out of it.
    """
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(Path(folder)))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}/"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _handler(folder: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            if name not in {path.name for path in folder.iterdir() if path.is_file()}:
                self.send_error(404)
                return
            with open(folder / name, "rb") as file:
                state = os.fstat(file.fileno())
                size, tag = state.st_size, f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
                asked = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range", ""))
                start = int(asked[1]) if asked and self.headers.get("If-Range", tag) == tag else 0
                beyond = 0 < start >= size
                self.send_response(416 if beyond else 206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {'*' if beyond else f'{start}-{size - 1}'}/{size}")
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("ETag", tag)
                self.send_header("Content-Length", str(max(0, size - start)))
                self.end_headers()
                file.seek(start)  # beyond the end there is nothing to read
                with suppress(ConnectionError):  # the client may go away
                    shutil.copyfileobj(file, self.wfile)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
