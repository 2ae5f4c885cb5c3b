"""Records a call that the client cancels before the server has finished: gRPC in Python on both sides."""

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
    answers = channel.unary_stream("/example.Greeter/Count")(b"to thirty")
    assert [next(answers), next(answers)] == [b"number 0", b"number 1"]
    answers.cancel()
    time.sleep(0.3)
"""

with Lab() as lab:
    grpc_server(lab.server)
    with lab.client.capture() as packets:
        assert debian_python(lab.client, PROGRAM).wait(20) == 0
        settle()
    keep(
        packets,
        __file__,
        "C HEADERS 1 POST /example.Greeter/Count, S HEADERS 1 200, S DATA 1, C RST_STREAM 1 CANCEL",
        options=GRPC,
    )
