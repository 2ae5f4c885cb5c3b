"""Records a server's stream and a stream in both directions: gRPC in Python on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import GRPC, keep
from http2_servers import grpc_server
from recording import Lab, settle
from servers import debian_python

PROGRAM = """
import time

import grpc

with grpc.insecure_channel("10.0.0.2:50051") as channel:
    assert len(list(channel.unary_stream("/example.Greeter/Count")(b"to five"))) == 5

    def requests():
        for word in (b"one", b"two", b"three"):
            yield word
            time.sleep(0.1)

    assert list(channel.stream_stream("/example.Greeter/Echo")(requests())) == [b"ONE", b"TWO", b"THREE"]
"""

with Lab() as lab:
    grpc_server(lab.server)
    with lab.client.capture() as packets:
        assert debian_python(lab.client, PROGRAM).wait(20) == 0
        settle()
    keep(
        packets,
        __file__,
        "C HEADERS 1 POST /example.Greeter/Count, S HEADERS 1 200, S DATA 1, S HEADERS 1 END, "
        "C HEADERS 3 POST /example.Greeter/Echo, C DATA 3, S HEADERS 3 200, S DATA 3, C DATA 3, S DATA 3, "
        "S HEADERS 3 END",
        options=GRPC,
    )
