"""What each side set, and when it took effect. RFC 9113 §6.5.

A side's settings bind its peer from the peer's ACK on (§6.5.3): it is the peer's next bytes that follow them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import deque
from typing import Final

from analyzer.dissector.registries import name

(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE) = (
    range(1, 7)
)
ENABLE_CONNECT_PROTOCOL: Final = 8
LARGEST_WINDOW: Final = (1 << 31) - 1
SMALLEST_FRAME, LARGEST_FRAME = 1 << 14, (1 << 24) - 1
_INITIAL: Final = {HEADER_TABLE_SIZE: 4096, ENABLE_PUSH: 1, INITIAL_WINDOW_SIZE: 65_535, MAX_FRAME_SIZE: SMALLEST_FRAME}
MOST_NAMES: Final = 100  # different settings kept of a side
MOST_PENDING: Final = 100  # frames of settings that wait for their ACK
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*\Z")
_MOST_UPGRADE: Final = 16_384  # characters of HTTP2-Settings
ENTRY: Final = 6  # bytes

Entries = list[tuple[int, int]]


def parse(payload: bytes) -> Entries:
    """§6.5.1, in the order sent; a rest that is no whole entry is left out."""
    found = []
    for at in range(0, len(payload) - ENTRY + 1, ENTRY):
        found.append((payload[at] << 8 | payload[at + 1], int.from_bytes(payload[at + 2 : at + ENTRY], "big")))
    return found


def parse_upgrade(value: str) -> Entries | None:
    """HTTP2-Settings, RFC 7540 §3.2.1: base64url without padding; None: it is something else."""
    bare = value.rstrip("=")
    if len(bare) > _MOST_UPGRADE or not _BASE64URL.match(bare):
        return None
    try:
        payload = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return None
    return parse(payload) if len(payload) % ENTRY == 0 else None


def setting_name(code: int) -> str:
    return name("http2-settings", code).removeprefix("SETTINGS_")


def fault(side: int, code: int, value: int) -> tuple[str, str] | None:
    """What is wrong with an entry: an error code, and in words. §6.5.2, RFC 8441 §3."""
    if code == ENABLE_PUSH and value > (1 if side == 0 else 0):
        return "PROTOCOL_ERROR", f"ENABLE_PUSH of {value} (RFC 9113 §6.5.2)"
    if code == INITIAL_WINDOW_SIZE and value > LARGEST_WINDOW:
        return "FLOW_CONTROL_ERROR", f"INITIAL_WINDOW_SIZE of {value} (RFC 9113 §6.5.2)"
    if code == MAX_FRAME_SIZE and not SMALLEST_FRAME <= value <= LARGEST_FRAME:
        return "PROTOCOL_ERROR", f"MAX_FRAME_SIZE of {value} (RFC 9113 §6.5.2)"
    if code == ENABLE_CONNECT_PROTOCOL and value > 1:
        return "PROTOCOL_ERROR", f"ENABLE_CONNECT_PROTOCOL of {value} (RFC 8441 §3)"
    return None


class Settings:
    """Those of one side. `sent`: what it sent last, by name; `in_force`: what binds its peer."""

    __slots__ = ("_early", "_pending", "in_force", "sent")

    def __init__(self) -> None:
        self.sent: dict[str, int] = {}
        self.in_force = dict(_INITIAL)
        self._pending: deque[Entries] = deque()
        self._early = 0  # ACKs captured before what they acknowledge

    def send(self, entries: Entries) -> list[Entries]:
        """A frame was sent; returns what takes effect now."""
        for code, value in entries:
            called = setting_name(code)
            if called in self.sent or len(self.sent) < MOST_NAMES:
                self.sent[called] = value
        if self._early:
            self._early -= 1
            return [entries]
        self._pending.append(entries if len(entries) <= MOST_NAMES else list(dict(entries).items())[-MOST_NAMES:])
        return [self._pending.popleft()] if len(self._pending) > MOST_PENDING else []

    def acknowledge(self) -> list[Entries]:
        """The peer says that it follows the oldest frame; returns what takes effect now."""
        if self._pending:
            return [self._pending.popleft()]
        self._early = min(self._early + 1, MOST_PENDING)
        return []

    def take_effect(self, entries: Entries) -> None:
        for code, value in entries:
            if code in self.in_force or len(self.in_force) < MOST_NAMES:
                self.in_force[code] = value

    def highest(self, code: int) -> int:
        """Of what is in force and what waits for its ACK: a peer may follow what it has received already."""
        if not self._pending:
            return self.in_force.get(code, 0)
        return max([self.in_force.get(code, 0), *(value for sent in self._pending for c, value in sent if c == code)])
