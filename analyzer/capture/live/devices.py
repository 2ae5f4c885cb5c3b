"""The interfaces of this machine, as scapy finds them."""

from __future__ import annotations

import dataclasses
import difflib
import logging
import socket
from typing import Any

from analyzer.errors import LiveError

ANY = "any"
_UP, _LOOPBACK, _RUNNING = 0x1, 0x8, 0x40
_ETHERNET, _RAW_IP = 1, 101  # LINKTYPE_
_RAW_IP_INSIDE = 12  # what libpcap and scapy call it inside a program
_USER0 = 147  # a link type that nobody here knows
_TUNNEL = (65534, 768, 769, 776, 778, 823, 513, 512)  # ARPHRD_: no header of their own; the rest scapy knows


@dataclasses.dataclass(frozen=True)
class Device:
    """A network interface."""

    name: str
    index: int
    up: bool
    running: bool
    loopback: bool
    hardware_type: int  # ARPHRD_ number
    link_type: int  # LINKTYPE_ number, https://www.tcpdump.org/linktypes.html
    mac: str | None
    addresses: tuple[str, ...]


def devices() -> list[Device]:
    """All interfaces, in the order of their numbers."""
    conf = scapy_configuration()
    conf.ifaces.reload()
    found = [_device(one) for one in conf.ifaces.values()]
    return sorted(found, key=lambda one: one.index)


def find_devices(names: tuple[str, ...]) -> list[Device]:
    """Those named; all for "any". Raises LiveError for one that does not exist."""
    known = devices()
    if ANY in names:
        return known
    by_name = {one.name: one for one in known}
    for name in names:
        if name not in by_name:
            near = difflib.get_close_matches(name, by_name, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise LiveError(f"there is no interface {name!r}: {hint}`analyzer interfaces` lists them")
    return [by_name[name] for name in dict.fromkeys(names)]


def has_interface(name: str, index: int | None = None) -> bool:
    """Whether it is there, still with this index."""
    try:
        found = socket.if_nametoindex(name)
    except OSError:
        return False
    return index is None or found == index


def scapy_configuration() -> Any:
    """scapy's `conf`, without its warnings on standard error: what matters is said here."""
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    import scapy.arch  # noqa: F401 - fills `conf`
    from scapy.config import conf

    return conf


def link_type_of(hardware_type: int) -> int:
    """LINKTYPE_ of the frames that a raw socket sees on an interface with this ARPHRD_."""
    from scapy.data import ARPHRD_TO_DLT

    if hardware_type in _TUNNEL:
        return _RAW_IP
    found = int(ARPHRD_TO_DLT.get(hardware_type, _USER0))
    if found == _RAW_IP_INSIDE:
        return _RAW_IP
    return found if found > 0 else _USER0


def _device(one: Any) -> Device:
    flags = int(one.flags)
    hardware_type = int(one.type)
    return Device(
        name=str(one.network_name),
        index=int(one.index),
        up=bool(flags & _UP),
        running=bool(flags & _RUNNING),
        loopback=bool(flags & _LOOPBACK),
        hardware_type=hardware_type,
        link_type=link_type_of(hardware_type),
        mac=str(one.mac) or None,
        addresses=tuple(str(address) for address in one.ips[4] + one.ips[6]),
    )
