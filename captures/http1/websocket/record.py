"""Records a WebSocket that echoes text and binary, with a ping: Python's websockets."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, settle
from servers import debian_python, require

SERVER_PROGRAM = """
import asyncio, websockets

async def echo(socket):
    async for message in socket:
        await socket.send(message)

async def main():
    async with websockets.serve(echo, "10.0.0.2", 80, compression=None):
        await asyncio.Future()

asyncio.run(main())
"""
CLIENT_PROGRAM = """
import asyncio, websockets

async def main():
    async with websockets.connect("ws://10.0.0.2/echo", compression=None, ping_interval=None) as socket:
        for text in ("one", "two", "three"):
            await socket.send(text)
            assert await socket.recv() == text
        for size in (1000, 3000):
            await socket.send(bytes(size))
            assert await socket.recv() == bytes(size)
        await (await socket.ping())
        await socket.send(["in ", "two ", "pieces"])
        assert await socket.recv() == "in two pieces"

asyncio.run(main())
"""

with Lab() as lab:
    debian_python(lab.server, SERVER_PROGRAM)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        assert debian_python(lab.client, CLIENT_PROGRAM).wait(30) == 0
        settle()
require(packets, "C GET /echo, S 101")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, S FIN, C FIN, S ACK")
