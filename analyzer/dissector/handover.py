"""A connection that stops speaking its first protocol: after HTTP's 101, a 2xx to CONNECT, STARTTLS, or a SOCKS
request that was granted."""

from __future__ import annotations

from analyzer.dissector.undecided import Undecided


class Handover(Undecided):
    """What comes after. `Undecided.bytes` are those of the new protocol alone."""

    __slots__ = ("at_ns", "packet", "protocol", "target")

    def __init__(self, protocol: str, target: str | None, at_ns: int, packet: int):
        super().__init__()
        # "tunnel" (CONNECT), "socks", "starttls", or what an Upgrade leads to, in lower case: "websocket", "h2c".
        self.protocol = protocol
        # For a tunnel host:port as asked for; for SOCKS with its version; for STARTTLS the protocol that was spoken.
        self.target = target
        self.at_ns = at_ns
        self.packet = packet  # of the response that led here
