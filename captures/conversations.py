"""What the two ends of a connection say to each other in most cases, so that a `record.py` tells what is special.

The names in capitals are transcripts of it, for `Capture.keep`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from recording import SERVER, SETTLE, Capture, Lab, settle
from servers import curl, debian_python, discarding, haproxy, require

OPEN = "C SYN, S SYN-ACK, C ACK"
HELLO = "C DATA, S ACK, S DATA, C ACK"  # of `exchange`
CLIENT_CLOSES = "C FIN, S ACK, S FIN, C ACK"  # of `close(client, server)`
SERVER_CLOSES = "S FIN, C ACK, C FIN, S ACK"  # of `close(server, client)`
FOUR_WAY = f"{OPEN}, {HELLO}, {CLIENT_CLOSES}"  # of `four_way`
FETCHED = f"{OPEN}, C DATA, …, C FIN, S FIN, C ACK"  # of `fetched` and `behind_haproxy`
ECHOED = f"{OPEN}, C DATA, …, S FIN, C FIN, S ACK"  # of `echoed_by_websocket`


# From linux/tcp.h; the socket module does not name them.
TCP_REPAIR = 19
TCP_REPAIR_QUEUE = 20
TCP_QUEUE_SEQ = 21
TCP_SEND_QUEUE = 2


def doubled(transcript: str) -> str:
    """Every step twice: what tshark makes of a mirror port that shows each packet in two places."""
    return ", ".join(f"{step}, {step}" for step in transcript.split(", "))


def receive(sock: socket.socket, length: int) -> bytes:
    """As many bytes as this, or fewer if the other end closes before."""
    data = b""
    while len(data) < length and (more := sock.recv(length - len(data))):
        data += more
    return data


def hear(receiver: socket.socket, data: bytes = b"hello\n") -> None:
    """What arrives is this, and it is acknowledged."""
    assert receive(receiver, len(data)) == data
    settle()


def say(sender: socket.socket, receiver: socket.socket, data: bytes = b"hello\n") -> None:
    """Send this; it is read and acknowledged before the next thing happens."""
    sender.sendall(data)
    hear(receiver, data)


def exchange(client: socket.socket, server: socket.socket) -> None:
    """One request and one reply, each acknowledged on its own."""
    say(client, server)
    say(server, client)


def close(first: socket.socket, second: socket.socket, wait: float = SETTLE) -> None:
    """In four segments: the second end closes after the first one's FIN has been acknowledged."""
    first.close()
    settle(wait)
    second.close()
    settle(wait)


def exchange_and_close(client: socket.socket, server: socket.socket) -> None:
    """What follows the handshake in the most ordinary connection; the client closes first."""
    exchange(client, server)
    close(client, server)


def four_way(lab: Lab, port: int = 7, family: int = socket.AF_INET, protocol: int = 0) -> None:
    """The most ordinary connection, from its SYN to the last ACK, for cases in which something else is special."""
    exchange_and_close(*lab.connect(port, family, protocol))


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN, as a program does that sets SO_LINGER to zero."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def long_text(role: str) -> bytes:
    """4,200 bytes for the client or the server to send: two segments of 1,448 bytes and a shorter one."""
    return b"".join(b"line %02d of the text that the %s sends\n" % (number, role.encode()) for number in range(100))


def initial_sequence(number: int) -> Callable[[socket.socket], None]:
    """For `prepare_client`: its SYN carries this sequence number (TCP_REPAIR; needs root)."""

    def prepare(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE)
        # setsockopt takes a signed int, sequence numbers are unsigned.
        sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, number.to_bytes(4, "little"))
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)

    return prepare


def probe_when_idle(sock: socket.socket) -> None:
    """Keep-alive probes after one second without traffic, and then every second."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)


def allow_fast_open(lab: Lab) -> None:
    """TCP Fast Open for the client's and the server's programs that ask for it; see `fast_open`."""
    lab.client.sysctl("net.ipv4.tcp_fastopen", 1)
    lab.server.sysctl("net.ipv4.tcp_fastopen", 2)
    lab.client.sysctl("net.ipv4.tcp_no_metrics_save", 0)  # the cookie is kept where the metrics are


def fast_open(lab: Lab, port: int = 7) -> None:
    """As `four_way`, with TCP Fast Open: the request is in the SYN if the client has a cookie of the server."""
    with lab.server.listen(port) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        client = lab.client.new_socket()
        client.settimeout(None)  # a socket with a timeout is not a blocking one, and would not send the data
        client.sendto(b"hello\n", socket.MSG_FASTOPEN, (SERVER, port))
        server, _ = listener.accept()
    hear(server)
    say(server, client)
    close(client, server)


def fetched(files: dict[str, bytes]) -> Capture:
    """curl fetches these files from nginx, one after the other on one connection; seen on the client's host."""
    with Lab() as lab:
        lab.server.nginx("server { listen 80; root html; }", files)
        lab.server.wait_for_listener(80)
        with lab.client.capture() as packets:
            curl(lab.client, *discarding(*(f"http://{SERVER}/{name}" for name in files)))
    require(packets, ", ".join(f"C GET /{name}, S 200" for name in files))
    return packets


def behind_haproxy(option: str) -> Capture:
    """curl fetches two pages from nginx through haproxy, which says for whom: `option` is of its line `server`.

    haproxy runs on the client's host and the capture shows what it sends to nginx; curl talks to it over lo.
    """
    proxy = f"listen web\nmode tcp\nbind 192.0.2.1:8080\nserver nginx {SERVER}:80 {option}\n"
    pages = 'server { listen 80 proxy_protocol; location / { return 200 "$proxy_protocol_addr\\n"; } }'
    with Lab() as lab:
        for address in ("192.0.2.1", "192.0.2.10"):
            lab.client.run("ip", "address", "add", f"{address}/32", "dev", "lo")
        lab.server.nginx(pages)
        lab.server.wait_for_listener(80)
        haproxy(lab.client, 8080, proxy)
        with lab.client.capture() as packets:
            shown = curl(lab.client, "--interface", "192.0.2.10", "http://192.0.2.1:8080/a", "http://192.0.2.1:8080/b")
    assert shown == 2 * "192.0.2.10\n"
    return packets


_ECHO = """
import asyncio, websockets

async def echo(socket):
    async for message in socket:
        await socket.send(message)

async def main():
    async with websockets.serve(echo, {server!r}, 80, compression={compression!r}):
        await asyncio.Future()

asyncio.run(main())
"""
_SHOUT = """
import asyncio, websockets

async def main():
    async with websockets.connect("ws://{server}/echo", compression={compression!r}, ping_interval=None) as socket:
        for message in ("one", "two", "three", bytes(1000), bytes({size})):
            await socket.send(message)
            assert await socket.recv() == message
        await (await socket.ping())
        await socket.send(["in ", "two ", "pieces"])
        assert await socket.recv() == "in two pieces"

asyncio.run(main())
"""


def echoed_by_websocket(compression: str | None, size: int) -> Capture:
    """A WebSocket that echoes texts and two messages of 1,000 and `size` bytes, with a ping: Python's websockets."""
    values = {"server": SERVER, "compression": compression, "size": size}
    with Lab() as lab:
        debian_python(lab.server, _ECHO.format(**values))
        lab.server.wait_for_listener(80)
        with lab.client.capture() as packets:
            assert debian_python(lab.client, _SHOUT.format(**values)).wait(30) == 0
            settle()
    require(packets, "C GET /echo, S 101")
    return packets
