"""Records an upgrade to a protocol that two programs have agreed on: each line is answered in upper case."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, settle
from servers import debian_python, require

SERVER_PROGRAM = """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "shout/1")
        self.end_headers()
        for line in self.rfile:
            self.wfile.write(line.upper())
        self.close_connection = True

http.server.HTTPServer(("10.0.0.2", 80), Handler).serve_forever()
"""
CLIENT_PROGRAM = """
import http.client, socket

connection = http.client.HTTPConnection("10.0.0.2", 80)
connection.connect()
sock = connection.sock
connection.request("GET", "/shout", headers={"Connection": "Upgrade", "Upgrade": "shout/1"})
reply = sock.makefile("rwb")
while reply.readline().strip():
    pass
for line in (b"hello\\n", b"goodbye\\n"):
    reply.write(line)
    reply.flush()
    assert reply.readline() == line.upper()
sock.shutdown(socket.SHUT_WR)
assert reply.read() == b""
"""

with Lab() as lab:
    debian_python(lab.server, SERVER_PROGRAM)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        assert debian_python(lab.client, CLIENT_PROGRAM).wait(30) == 0
        settle()
require(packets, "C GET /shout, S 101")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
