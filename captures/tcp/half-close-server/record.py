"""Records a server's nc closing its direction at the end of its input, and the client's sort answering after that."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle

# sort cannot say anything before its input ends. Port 7: the answer comes before the FIN's acknowledgement is due and
# carries it. Port 8: the acknowledgement goes out on its own first.
PROGRAMS = {7: "sort; sleep 0.3", 8: "sleep 0.3; sort; sleep 0.3"}

with Lab() as lab, lab.client.capture() as packets:
    for port, program in PROGRAMS.items():
        # -N: shut the sending direction down at the end of the input, and go on receiving.
        server = lab.server.start(
            "nc", "-N", "-l", SERVER, str(port), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        lab.server.wait_for_listener(port)
        lab.client.start("socat", f"TCP:{SERVER}:{port}", f"SYSTEM:{program}")
        assert server.communicate("pear\napple\nfig\n", timeout=30)[0] == "apple\nfig\npear\n"
        settle()
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C ACK, S DATA, C ACK, S FIN, C DATA, S ACK, C FIN, S ACK",
    "C SYN, S SYN-ACK, C ACK, S DATA, C ACK, S FIN, C ACK, C DATA, S ACK, C FIN, S ACK",
)
