"""Records a server that shuts down while a call is on its way: gRPC in Python on both sides."""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import GRPC, keep
from http2_servers import grpc_server
from recording import Lab, settle
from servers import debian_python

PROGRAM = """
import grpc

with grpc.insecure_channel("10.0.0.2:50051") as channel:
    assert len(list(channel.unary_stream("/example.Greeter/Count")(b"to thirty"))) == 30
"""

with Lab() as lab:
    server = grpc_server(lab.server)
    with lab.client.capture() as packets:
        client = debian_python(lab.client, PROGRAM)
        settle(0.8)
        server.send_signal(signal.SIGTERM)
        assert client.wait(20) == 0
        settle()
    keep(
        packets,
        __file__,
        "S DATA 1, S GOAWAY 0 NO_ERROR last 2147483647, S GOAWAY 0 NO_ERROR last 1, S DATA 1, S HEADERS 1 END",
        options=GRPC,
    )
