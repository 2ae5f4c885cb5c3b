"""Records WebSocket on a stream of HTTP/2: Chromium, haproxy and Python's websockets."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import frames, keep
from http2_servers import trusted
from recording import Lab
from servers import debian_python, haproxy
from tls_recording import slowly, tshark_keys
from tls_servers import browser

PAGE = b"""<!doctype html><title>Flows</title><link rel="icon" href="data:,">
<script>
fetch("/slow.txt").then((response) => response.text());  // as long as this takes, the browser waits for the other
const socket = new WebSocket("wss://example.test/chat");
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => { document.title += ", " + event.data; socket.close(); };
</script>
"""
PROXY = """defaults
mode http
timeout connect 5s
timeout client 30s
timeout server 30s
frontend front
bind 10.0.0.2:443 ssl crt {} alpn h2,http/1.1
use_backend chat if {{ path /chat }}
default_backend files
backend chat
server one 127.0.0.1:8081
backend files
server one 127.0.0.1:8080
"""
SLOW = "server { listen 127.0.0.1:8080; root html; location = /slow.txt { limit_rate 100; } }"
ECHO = """
import asyncio
import websockets

async def echo(socket, *_):
    async for message in socket:
        await socket.send(message)

async def main():
    async with websockets.serve(echo, "127.0.0.1", 8081):
        await asyncio.Future()

asyncio.run(main())
"""

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    lab.server.nginx(SLOW, {"index.html": PAGE, "slow.txt": b"s" * 200})
    lab.server.wait_for_listener(8080)
    debian_python(lab.server, ECHO)
    lab.server.wait_for_listener(8081)
    both = lab.server.folder("pem-") / "both.pem"
    both.write_text(identity.chain.read_text() + identity.key.read_text())
    haproxy(lab.server, 443, PROXY.format(both))
    with lab.client.capture() as packets:
        assert "Flows, hello" in browser(lab.client, identity, keys)
    shown = frames(packets.path, *tshark_keys(keys.path))
    # Either request may be first; mostly Chromium opens a second connection, just in case, and needs it not.
    (chat,) = (frame.stream for frame in shown[min(shown)] if (":method", "CONNECT") in frame.headers)
    wanted = [f"C HEADERS {chat} CONNECT /chat, S HEADERS {chat} 200, C DATA {chat}, S DATA {chat}"]
    wanted += ["S SETTINGS 0"] * (len(shown) - 1)
    keep(packets, __file__, *wanted, keys=keys)
