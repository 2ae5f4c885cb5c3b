"""Records a request with two statements of its length that a server answers: Python and http.server."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import talk

PROGRAM = """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b"read %d bytes\\n" % len(body))

    def do_GET(self):
        self.answer(b"hello\\n")

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

http.server.HTTPServer(("10.0.0.2", 80), Handler).serve_forever()
"""
# By Content-Length the body is all of `0 … x=1`; by Transfer-Encoding it is empty, and `GET /smuggled` is a request.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: server\r\n\r\n"
BODY = b"0\r\n\r\n" + SMUGGLED
REQUESTS = (
    b"POST /a HTTP/1.1\r\nHost: server\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(BODY) + BODY,
    b"GET /b HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n",
)

with Lab() as lab:
    lab.server.start("python3", "-c", PROGRAM)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        answer = talk(lab.client, SERVER, 80, *REQUESTS)
assert answer.count(b"HTTP/1.1 200 OK") == 2
assert b"read %d bytes" % len(BODY) in answer
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, S FIN, C ACK, C FIN, S ACK")
