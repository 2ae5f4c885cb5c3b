"""Records three connections; in the middle of the second one the clock of the recording host goes back an hour."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab

with Lab() as lab, lab.client.capture() as packets:
    for port in (7, 9, 13):
        four_way(lab, port)
# A clock cannot be set in a namespace: the times of the packets from 17 on are.
packets.edit(
    "sh",
    "-c",
    "editcap -r {in} {in}.1 1-16 && editcap -r -t -3600 {in} {in}.2 17-99 && mergecap -a -w {out} {in}.1 {in}.2",
)
packets.keep(__file__, FOUR_WAY, FOUR_WAY, FOUR_WAY)
