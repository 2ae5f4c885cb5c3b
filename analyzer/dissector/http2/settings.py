# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What each side set, and when it took effect. RFC 9113 §6.5.

A side's settings bind its peer from the peer's ACK on (§6.5.3): it is the peer's next bytes that follow them.
Pure-Python mode, types in `settings.pxd`.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re

import cython

from analyzer.dissector.registries import name

COMPILED = cython.compiled

(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE) = (
    range(1, 7)
)
ENABLE_CONNECT_PROTOCOL = 8
LARGEST_WINDOW = (1 << 31) - 1
SMALLEST_FRAME, LARGEST_FRAME = 1 << 14, (1 << 24) - 1
MOST_NAMES = 100  # different settings kept of a side
MOST_PENDING = 100  # frames of settings that wait for their ACK
ENTRY = 6  # bytes
_INITIAL = cython.declare(
    dict, {HEADER_TABLE_SIZE: 4096, ENABLE_PUSH: 1, INITIAL_WINDOW_SIZE: 65_535, MAX_FRAME_SIZE: SMALLEST_FRAME}
)
_ENABLE_PUSH = cython.declare(cython.int, ENABLE_PUSH)
_INITIAL_WINDOW_SIZE = cython.declare(cython.int, INITIAL_WINDOW_SIZE)
_MAX_FRAME_SIZE = cython.declare(cython.int, MAX_FRAME_SIZE)
_ENABLE_CONNECT_PROTOCOL = cython.declare(cython.int, ENABLE_CONNECT_PROTOCOL)
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*\Z")
_MOST_UPGRADE = 16_384  # characters of HTTP2-Settings


@cython.ccall
def parse(payload: bytes) -> list:
    """§6.5.1: codes and values, in the order sent; a rest that is no whole entry is left out."""
    found: list = []
    at: cython.Py_ssize_t = 0
    code: cython.int
    value: cython.longlong
    while at + 6 <= len(payload):
        code = payload[at] << 8 | payload[at + 1]
        value = payload[at + 2]
        value = value << 24 | payload[at + 3] << 16 | payload[at + 4] << 8 | payload[at + 5]
        found.append((code, value))
        at += 6
    return found


def parse_upgrade(value: str) -> list | None:
    """HTTP2-Settings, RFC 7540 §3.2.1: base64url without padding; None: it is something else."""
    bare = value.rstrip("=")
    if len(bare) > _MOST_UPGRADE or not _BASE64URL.match(bare):
        return None
    try:
        payload = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return None
    return parse(payload) if len(payload) % ENTRY == 0 else None


@functools.lru_cache(maxsize=256)
def setting_name(code: int) -> str:
    return name("http2-settings", code).removeprefix("SETTINGS_")


@cython.ccall
def fault(side: cython.int, code: cython.int, value: cython.longlong) -> tuple | None:
    """What is wrong with an entry: an error code, and in words. §6.5.2, RFC 8441 §3."""
    if code == _ENABLE_PUSH and value > (1 if side == 0 else 0):
        return "PROTOCOL_ERROR", f"ENABLE_PUSH of {value} (RFC 9113 §6.5.2)"
    if code == _INITIAL_WINDOW_SIZE and value > LARGEST_WINDOW:
        return "FLOW_CONTROL_ERROR", f"INITIAL_WINDOW_SIZE of {value} (RFC 9113 §6.5.2)"
    if code == _MAX_FRAME_SIZE and not SMALLEST_FRAME <= value <= LARGEST_FRAME:
        return "PROTOCOL_ERROR", f"MAX_FRAME_SIZE of {value} (RFC 9113 §6.5.2)"
    if code == _ENABLE_CONNECT_PROTOCOL and value > 1:
        return "PROTOCOL_ERROR", f"ENABLE_CONNECT_PROTOCOL of {value} (RFC 8441 §3)"
    return None


@cython.no_gc
@cython.final
@cython.cclass
class Settings:
    """Those of one side. `sent`: what it sent last, by name; `in_force`: what binds its peer. Frames are lists of codes
    and values."""

    def __init__(self):
        self.sent = {}
        self.in_force = _INITIAL.copy()
        self._pending = []
        self._early = 0  # ACKs captured before what they acknowledge

    @cython.ccall
    def send(self, entries: list) -> list | None:
        """A frame was sent; returns the one that takes effect now."""
        entry: tuple
        for entry in entries:
            called: str = setting_name(entry[0])
            if len(self.sent) < MOST_NAMES or called in self.sent:
                self.sent[called] = entry[1]
        if self._early:
            self._early -= 1
            return entries
        self._pending.append(entries if len(entries) <= MOST_NAMES else list(dict(entries).items())[-MOST_NAMES:])
        return self._pending.pop(0) if len(self._pending) > MOST_PENDING else None

    @cython.ccall
    def acknowledge(self) -> list | None:
        """The peer says that it follows the oldest frame; returns it, for it takes effect now."""
        if self._pending:
            return self._pending.pop(0)
        self._early = min(self._early + 1, MOST_PENDING)
        return None

    @cython.ccall
    def take_effect(self, entries: list) -> cython.void:
        entry: tuple
        for entry in entries:
            if len(self.in_force) < MOST_NAMES or entry[0] in self.in_force:
                self.in_force[entry[0]] = entry[1]

    @cython.ccall
    def highest(self, code: cython.int) -> cython.longlong:
        """Of what is in force and what waits for its ACK: a peer may follow what it has received already."""
        found: cython.longlong = self.in_force.get(code, 0)
        entries: list
        entry: tuple
        for entries in self._pending:
            for entry in entries:
                if entry[0] == code and entry[1] > found:
                    found = entry[1]
        return found
