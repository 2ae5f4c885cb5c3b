"""Records a call over TLS: gRPC in Python through nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import grpc_server, log_of, nginx, preloaded, trusted
from recording import Lab, settle
from servers import debian_python

PROGRAM = """
import grpc
from pathlib import Path

credentials = grpc.ssl_channel_credentials(Path("{}").read_bytes())
options = [("grpc.ssl_target_name_override", "example.test")]
with grpc.secure_channel("10.0.0.2:443", credentials, options) as channel:
    assert channel.unary_unary("/example.Greeter/Hello")(b"hello") == b"HELLO"
    assert len(list(channel.unary_stream("/example.Greeter/Count")(b"to five"))) == 5
"""

with Lab() as lab:
    authority, identity, keys = trusted(lab)
    grpc_server(lab.server)
    log = nginx(lab.server, identity, "location / { grpc_pass grpc://10.0.0.2:50051; }")
    environment = preloaded(lab.client, keys)
    with lab.client.capture() as packets:
        assert debian_python(lab.client, PROGRAM.format(authority.path), env=environment).wait(20) == 0
        settle()
    keep(
        packets,
        __file__,
        "C HEADERS 1 POST /example.Greeter/Hello, C DATA 1 END, S HEADERS 1 200, S DATA 1, S HEADERS 1 END",
        keys=keys,
        logs={"server.log": log_of(log)},
    )
