"""What TCP calls its steps: the names the flow pages of `tcp-open` and `tcp-close` may use, and what each means.

A segment can be several steps. They come in this order: `ACK`, `DATA`, then `FIN` or `FIN-ACK`. Everything is
RFC 9293 unless another one is named.

To `tcp-open` go:

`SYN`
    A segment with SYN and without ACK (§3.5). `payload` above 0 is data in the SYN, TCP Fast Open (RFC 7413).
    The same SYN again (same sequence number) is marked `retransmission`.
`SYN-ACK`
    A segment with SYN and ACK. Again, the same one later is marked `retransmission`.
`ACK`
    The first segment of a side that acknowledges the other side's SYN-ACK (in a simultaneous open: its SYN);
    what else that segment carries does not matter. Later acknowledgements are no steps.
`RST`
    A reset before the opening is complete. One that answers a SYN is judged by its acknowledgement number
    (§3.10.7.3), any other one by the window (RFC 5961 §3.2).
`ICMP Unreachable`
    A destination-unreachable message (RFC 792, RFC 4443 §3.1) that quotes a segment of this connection,
    whoever sent it on the way. It is drawn from the side that the quoted SYN or SYN-ACK was sent to.

To `tcp-close` go:

`FIN`
    A segment with FIN that is not the first to acknowledge the other side's FIN (§3.6).
`ACK`
    The first segment that acknowledges the other side's FIN. A retransmitted FIN may still be that segment. If it was
    captured before the FIN it acknowledges, it comes right after that FIN.
`DATA`
    A side's first new payload in a segment whose acknowledgement covers the other side's FIN: the proof of a half-close
    (§3.6.1). It comes after `ACK`. A segment with FIN never is `DATA`.
`FIN-ACK`
    A segment with FIN that is also the first to acknowledge the other side's FIN.
`RST`
    The first accepted reset once the opening is complete, or was not captured (§3.5.2, §3.5.3). It ends the scope.

A `RST` of either scope is taken back if its receiver later acknowledges what was sent after it: it was not accepted.

This module holds names only, so that reading the flow pages costs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STEPS: Final = ("SYN", "SYN-ACK", "ACK", "DATA", "FIN", "FIN-ACK", "RST", "ICMP Unreachable")

ATTRIBUTES: Final[Mapping[str, str]] = {
    "payload": "number",  # bytes of payload in the segment
    "window": "number",  # the window field as sent, in the sender's units (before scaling)
    "retransmission": "flag",  # a segment of this kind and sequence number was seen before
}
