"""A small login service, the example of docs/own-flows.md.

    python3 service.py PORT [--forget-cookie]

POST /login with the right password answers 302 to /account and sets a cookie; GET /account needs that cookie.
With --forget-cookie it is broken: the cookie is not set any more.
"""

import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

FORGETS = "--forget-cookie" in sys.argv
SESSIONS = set()


class Service(BaseHTTPRequestHandler):
    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if self.path != "/login" or form.get("password") != ["open sesame"]:
            return self.answer(403, "no\n")
        session = secrets.token_hex(8)
        SESSIONS.add(session)
        cookie = {} if FORGETS else {"Set-Cookie": f"session={session}; HttpOnly"}
        return self.answer(302, "", {"Location": "/account", **cookie})

    def do_GET(self):
        if self.path != "/account":
            return self.answer(404, "not here\n")
        known = any(f"session={session}" in self.headers.get("Cookie", "") for session in SESSIONS)
        return self.answer(200, "your account\n") if known else self.answer(401, "log in first\n")

    def answer(self, status, text, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


ThreadingHTTPServer(("", int(sys.argv[1])), Service).serve_forever()
