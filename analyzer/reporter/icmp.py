"""What ICMP errors say, in words."""

from __future__ import annotations

from analyzer import model
from analyzer.dissector.layout import ICMP_PACKET, ICMP_SAID

# By IP version, type and code; code None: whatever the code.
_MEANINGS: dict[tuple[int, int, int | None], str] = {
    # RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1
    (4, 3, 0): "network unreachable",
    (4, 3, 1): "host unreachable",
    (4, 3, 2): "protocol unreachable",
    (4, 3, 3): "port unreachable",
    (4, 3, 4): "fragmentation needed",
    (4, 3, 5): "source route failed",
    (4, 3, 6): "network unknown",
    (4, 3, 7): "host unknown",
    (4, 3, 8): "source host isolated",
    (4, 3, 9): "network administratively prohibited",
    (4, 3, 10): "host administratively prohibited",
    (4, 3, 11): "network unreachable for this type of service",
    (4, 3, 12): "host unreachable for this type of service",
    (4, 3, 13): "administratively prohibited",
    (4, 3, 14): "host precedence violation",
    (4, 3, 15): "precedence cutoff",
    (4, 4, None): "source quench",
    (4, 5, None): "redirect",
    (4, 11, 0): "time to live exceeded",
    (4, 11, 1): "fragment reassembly time exceeded",
    (4, 12, None): "parameter problem",
    # RFC 4443 §3
    (6, 1, 0): "no route to destination",
    (6, 1, 1): "administratively prohibited",
    (6, 1, 2): "beyond scope of source address",
    (6, 1, 3): "address unreachable",
    (6, 1, 4): "port unreachable",
    (6, 1, 5): "source address failed a policy",
    (6, 1, 6): "route to destination rejected",
    (6, 2, None): "packet too big",
    (6, 3, 0): "hop limit exceeded",
    (6, 3, 1): "fragment reassembly time exceeded",
    (6, 4, None): "parameter problem",
}


def first_error(row: list[int], version: int) -> model.IcmpError:
    """The first ICMP error that quoted a connection's segment; `version`: of IP."""
    said = row[ICMP_SAID]
    kind, code, mtu = said >> 8 & 0xFF, said & 0xFF, said >> 16
    meaning = _MEANINGS.get((version, kind, code)) or _MEANINGS.get((version, kind, None))
    return model.IcmpError(row[ICMP_PACKET], kind, code, meaning, mtu or None)
