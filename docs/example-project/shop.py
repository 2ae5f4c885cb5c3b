"""A small web shop: whoever logs in may see the cart. The service that this example watches."""

from __future__ import annotations

import http.server
import sys

COOKIE = "session=test"


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open for the next request

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path == "/login":
            self._answer(302, headers={"Location": "/cart", "Set-Cookie": COOKIE})
        else:
            self._answer(404)

    def do_GET(self) -> None:
        if self.path != "/cart":
            self._answer(404)
        elif self.headers["Cookie"] != COOKIE:
            self._answer(401)
        else:
            self._answer(200, b"1 pair of shoes\n")

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *message: object) -> None:
        """Quiet."""


def serve(port: int = 0) -> http.server.ThreadingHTTPServer:
    """The shop on a port of this machine, 0 for any that is free. `serve_forever` runs it."""
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), Shop)


if __name__ == "__main__":
    serve(int(sys.argv[1])).serve_forever()
