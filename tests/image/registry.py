"""As much of a registry, on the loopback, as tells what a tag stands for; it may want a token first."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Registry:
    """What it holds and what it was asked.

    Attributes:
        tags: what each tag stands for: a text, in place of a manifest.
        token: what it wants to hear; None: nothing.
        person: name:password that it wants to hear, in base64; None: nobody's.
        asked: paths, in order.
    """

    port: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    person: str | None = None
    asked: list[str] = field(default_factory=list)

    def image(self, tag: str) -> str:
        """The address of an image."""
        return f"docker://127.0.0.1:{self.port}/lab/fernn:{tag}"

    def digest(self, tag: str) -> str:
        """What a tag stands for, as registries say it."""
        return f"sha256:{hashlib.sha256(self.tags[tag].encode()).hexdigest()}"


@contextmanager
def serve() -> Iterator[Registry]:
    """A registry, for as long as the context lasts."""
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.asked.append(self.path)
            tag = self.path.rpartition("/manifests/")[2]
            if self.path.startswith("/token"):
                self._answer(200, json.dumps({"token": registry.token}))
            elif registry.token and self.headers["Authorization"] != f"Bearer {registry.token}":
                realm = f"http://127.0.0.1:{registry.port}/token"
                self._answer(401, "", f'Bearer realm="{realm}",service="here",scope="repository:lab/fernn:pull"')
            elif registry.person and self.headers["Authorization"] != f"Basic {registry.person}":
                self._answer(401, "", 'Basic realm="here"')
            elif self.path == f"/v2/lab/fernn/manifests/{tag}" and tag in registry.tags:
                self._answer(200, registry.tags[tag])
            else:
                self._answer(404, "")

        def _answer(self, status: int, text: str, challenge: str | None = None) -> None:
            self.send_response(status)
            if challenge:
                self.send_header("WWW-Authenticate", challenge)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
