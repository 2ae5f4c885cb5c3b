"""Records a client whose key is not the server's: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    s_server(lab.server, None, "-psk", "ffeeddccbbaa99887766554433221100")
    with lab.client.capture() as packets:
        s_client(lab.client, "-psk", "00112233445566778899aabbccddeeff", say=[])
    keep(packets, __file__, "C ClientHello, S illegal_parameter")
