"""Records nc closing its direction at the end of its input, and sort answering after that."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle

# sort cannot say anything before its input ends. Port 7: the answer comes before the FIN's acknowledgement is due and
# carries it. Port 8: the acknowledgement goes out on its own first.
PROGRAMS = {7: "sort; sleep 0.3", 8: "sleep 0.3; sort; sleep 0.3"}

with Lab() as lab:
    for port, program in PROGRAMS.items():
        lab.server.start("socat", f"TCP-LISTEN:{port},bind={SERVER},reuseaddr", f"SYSTEM:{program}")
        lab.server.wait_for_listener(port)
    with lab.client.capture() as packets:
        for port in PROGRAMS:
            # -N: shut the sending direction down at the end of the input, and go on receiving.
            done = lab.client.run("nc", "-N", SERVER, str(port), input="pear\napple\nfig\n")
            assert done.stdout == "apple\nfig\npear\n"
            settle()
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, C FIN, S DATA, C ACK, S FIN, C ACK",
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, C FIN, S ACK, S DATA, C ACK, S FIN, C ACK",
)
