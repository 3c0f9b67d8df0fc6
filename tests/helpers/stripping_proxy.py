"""A small proxy that shows a service below a path of its own and takes that path off, as some proxies do."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_PER_CONNECTION = {"connection", "transfer-encoding", "keep-alive", "date", "server"}


@contextmanager
def stripping_proxy(address: str, root: str) -> Iterator[str]:
    """The address below which the proxy shows the service; what lies beside it is another site."""
    target = urlsplit(address).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if not self.path.startswith(f"{root}/"):
                self._answer(404, [], b"beside it")
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _PER_CONNECTION}
            with closing(http.client.HTTPConnection(target)) as connection:
                connection.request(self.command, self.path.removeprefix(root), body or None, headers)
                response = connection.getresponse()
                with suppress(ConnectionError):  # a browser that has closed its page
                    self._answer(response.status, response.getheaders(), response.read())

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in _PER_CONNECTION | {"content-length"}:
                    self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        setattr(Handler, f"do_{method}", Handler.handle_any)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{root}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
