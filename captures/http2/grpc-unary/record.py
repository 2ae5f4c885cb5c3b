"""Records two calls, one that succeeds and one that fails: gRPC in Python on both sides."""

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
    assert channel.unary_unary("/example.Greeter/Hello")(b"hello") == b"HELLO"
    try:
        channel.unary_unary("/example.Greeter/Missing")(b"hello")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND
"""

with Lab() as lab:
    grpc_server(lab.server)
    with lab.client.capture() as packets:
        assert debian_python(lab.client, PROGRAM).wait(20) == 0
        settle()
    keep(
        packets,
        __file__,
        "C HEADERS 1 POST /example.Greeter/Hello, C DATA 1 END, S HEADERS 1 200, S DATA 1, S HEADERS 1 END, "
        "C HEADERS 3 POST /example.Greeter/Missing, S HEADERS 3 200 END",
        options=GRPC,
    )
