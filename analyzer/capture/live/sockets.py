"""Packets from a raw packet socket of scapy's, through the ring that the kernel shares with it.

scapy opens the socket and knows the interfaces; its packet classes are not used. The kernel writes frames into blocks
of the ring and hands over a block when it is full or RETIRE_MS old; the frames are looked at where they are. One
socket serves all interfaces, so that packets keep their order. Source: Linux, Documentation/networking/
packet_mmap.rst, TPACKET_V3; man 7 packet.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import select
import socket
import struct
import sys
import time
from typing import Any

import numpy as np

from analyzer.capture.base import MAX_ROWS, Columns, Damage
from analyzer.capture.frames import Frames
from analyzer.capture.interfaces import Interface
from analyzer.capture.live import filtering
from analyzer.capture.live.base import LiveCapture, Wanted
from analyzer.capture.live.devices import ANY, Device, find_devices, has_interface, link_type_of, scapy_configuration
from analyzer.capture.live.filtering import Branch
from analyzer.capture.live.ring import DONE, RESERVED_BYTES, UNKNOWN, scan_ring
from analyzer.errors import LiveError

RETIRE_MS = 50
BLOCK_BYTES = 1 << 20
LEAST_BLOCKS = 2
MOST_INTERFACES = 4096

_SOL_PACKET = 263
_RX_RING, _STATISTICS, _VERSION, _RESERVE = 5, 6, 10, 12
_TPACKET_V3 = 2
_FRAME_BYTES = 2048  # means nothing to this version, and must divide a block
_ALL_PROTOCOLS = 3  # ETH_P_ALL

# struct tpacket_block_desc.
_STATUS, _PACKETS, _FIRST = 8, 12, 16
_FOR_USER = 1
_FOR_KERNEL = 0

_GONE_CHECK_SECONDS = 1.0


class RingCapture(LiveCapture):
    """Captures on one or several interfaces, or on all of them. Raises LiveError if it cannot start, UsageError for a
    wrong filter."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(", ".join(wanted.interfaces), wanted)
        self._socket: Any = None
        self._ring: mmap.mmap | None = None
        try:
            self._open(wanted)
        except BaseException:
            self.close()
            raise

    def _open(self, wanted: Wanted) -> None:
        found = find_devices(wanted.interfaces)
        self._any = ANY in wanted.interfaces
        if not self._any and (down := [one.name for one in found if not one.up]):
            raise LiveError(f"{down[0]} is down: `sudo ip link set {down[0]} up`")
        self._devices = {one.index: one for one in found}
        # As a table of two columns, because the scanner looks interfaces up.
        self._indexes = np.zeros(MOST_INTERFACES, np.int64).data
        self._link_types = np.zeros(MOST_INTERFACES, np.int32).data
        program = filtering.joined(self._branches(found, wanted))
        self._socket = _socket(found[0].name)
        self.dropped_by_kernel = 0
        self._received = 0
        raw = self._socket.ins
        filtering.attach(raw, program)
        self._share(raw, wanted.buffer_bytes)
        if wanted.promiscuous and not self._any:
            from scapy.arch.linux import set_promisc

            for one in found:
                set_promisc(raw, one.name)
        if len(found) > 1 or self._any:
            _bind_to_all(raw)
        self._poll = select.poll()
        self._poll.register(raw, select.POLLIN | select.POLLERR)
        self._poll.register(self._wake_read, select.POLLIN)
        self._columns = Columns(MAX_ROWS)
        self._block = self._left = self._at = 0
        self._held = False  # the block at hand is ours, and the frames delivered last are in it
        self._quiet_since_stop: float | None = None
        self._checked_at = time.monotonic()
        if not self._any:
            for one in found:
                self._add(one.index)

    def _branches(self, found: list[Device], wanted: Wanted) -> list[Branch]:
        """What is to be let through, by interface or, where all are captured, by kind of interface."""
        branches: list[Branch] = []
        for one in found:
            by, value = (filtering.HARDWARE_TYPE, one.hardware_type) if self._any else (filtering.INTERFACE, one.index)
            if any(branch.value == value for branch in branches):
                continue
            live = one.name if one.up else None
            program = filtering.compiled(wanted.packet_filter, one.link_type, wanted.snaplen, live)
            branches.append(Branch(by, value, program, one.loopback))
        if self._any:  # interfaces may come into being meanwhile
            known = {branch.value for branch in branches}
            for hardware_type in {1, 65534, 768, 776} - known:
                program = filtering.compiled(wanted.packet_filter, link_type_of(hardware_type), wanted.snaplen)
                branches.append(Branch(filtering.HARDWARE_TYPE, hardware_type, program))
        return branches

    def _share(self, raw: socket.socket, wanted_bytes: int) -> None:
        """Sets up the ring; a smaller one if there is not enough memory."""
        raw.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        raw.setsockopt(_SOL_PACKET, _RESERVE, RESERVED_BYTES)
        blocks = max(LEAST_BLOCKS, wanted_bytes // BLOCK_BYTES)
        while True:
            frames = blocks * (BLOCK_BYTES // _FRAME_BYTES)
            request = struct.pack("=7I", BLOCK_BYTES, blocks, _FRAME_BYTES, frames, RETIRE_MS, 0, 0)
            try:
                raw.setsockopt(_SOL_PACKET, _RX_RING, request)
                break
            except OSError as error:
                if error.errno != errno.ENOMEM or blocks <= LEAST_BLOCKS:
                    raise LiveError(
                        f"no ring of {blocks} MiB for packets: {error.strerror}; use a smaller -B"
                    ) from None
                blocks = max(LEAST_BLOCKS, blocks // 2)
        self._blocks = blocks
        self._ring = mmap.mmap(raw.fileno(), blocks * BLOCK_BYTES)
        self._view = memoryview(self._ring)
        self._words, self._halves = self._view.cast("I"), self._view.cast("H")

    def _add(self, index: int) -> None:
        """An interface from which packets come."""
        known = len(self.interfaces)
        if known == MOST_INTERFACES:
            raise LiveError(f"more than {MOST_INTERFACES} interfaces: name those to capture on with -i")
        device = self._devices.get(index)
        if device is None:  # it has come into being since
            self._devices = {one.index: one for one in find_devices((ANY,))}
            device = self._devices.get(index)
        name, link_type = (device.name, device.link_type) if device else (f"interface {index}", 1)
        self._indexes[known], self._link_types[known] = index, link_type
        self.interfaces.append(Interface(link_type=link_type, snaplen=self.wanted.snaplen, name=name))

    def _take(self) -> Frames | None:
        if self._held and not self._left:
            self._return()
        waited = False
        while True:
            if not self._held:
                if self._words[(self._block * BLOCK_BYTES + _STATUS) // 4] & _FOR_USER:
                    self._receive()
                    continue
                if self.stopping and self._drained():
                    return None
                if waited:
                    return self._frames(0)
                if self._gone():
                    return None
                self._wait()
                waited = True
                continue
            if not self._left:
                self._return()
                continue
            count, self._at, self._left, why = scan_ring(
                self._view, self._words, self._halves, self._at, self._left,
                self._indexes, self._link_types, len(self.interfaces), self._columns,
            )  # fmt: skip
            if why == UNKNOWN and count == 0:
                self._add(self._words[(self._at + 52) // 4])
                continue
            if self.stopping:
                count = self._until_stop(count)
            if count or why != DONE:
                return self._frames(count)

    def _frames(self, count: int) -> Frames:
        return Frames(self._view, self.packets + 1, count, *(array[:count] for array in self._columns.arrays))

    def _receive(self) -> None:
        """The kernel has handed over the next block."""
        begin = self._block * BLOCK_BYTES
        self._left = self._words[(begin + _PACKETS) // 4]
        self._at = begin + self._words[(begin + _FIRST) // 4]
        self._held = True
        self._quiet_since_stop = None

    def _return(self) -> None:
        """The frames of the block at hand were looked at."""
        self._words[(self._block * BLOCK_BYTES + _STATUS) // 4] = _FOR_KERNEL
        self._block = (self._block + 1) % self._blocks
        self._held = False

    def _until_stop(self, count: int) -> int:
        """How many of the frames were captured before the stop. With the first later one the capture is over."""
        times = np.asarray(self._columns.time_ns)[:count]
        late = np.flatnonzero(times > self._stop_ns)
        if len(late):
            self._left = 0
            self._over("stopped")
            return int(late[0])
        return count

    def _drained(self) -> bool:
        """Whether all that was captured before the stop has been handed over: nothing came for longer than the kernel
        keeps a block that is not full."""
        now = time.monotonic()
        if self._quiet_since_stop is None:
            self._quiet_since_stop = now
        return now - self._quiet_since_stop > 3 * RETIRE_MS / 1000

    def _wait(self) -> None:
        seconds = RETIRE_MS / 1000 if self.stopping else self._timeout()
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 64)

    def _gone(self) -> bool:
        """Whether the interface has gone. Its error, if it went down, is taken off the socket: it may come up again."""
        now = time.monotonic()
        failed = self._socket.ins.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not failed and (self._any or now - self._checked_at < _GONE_CHECK_SECONDS):
            return False
        self._checked_at = now
        if self._any:
            return False
        left = [one for one in self._devices.values() if has_interface(one.name, one.index)]
        if not left:
            self.warnings.append(Damage(0, f"{self.name} has gone: this is what was captured until then"))
            self._over("interface-gone")
            return True
        if failed:
            self.warnings.append(Damage(0, f"{self.name}: {os.strerror(failed)}; waiting for it to come up again"))
        return False

    def _count(self) -> None:
        """The kernel forgets its counts when it has told them. Those of packets have the dropped ones in them."""
        if self._socket is None or self.dropped_by_kernel is None:
            return
        packets, dropped, _ = struct.unpack("=3I", self._socket.ins.getsockopt(_SOL_PACKET, _STATISTICS, 12))
        self._received += packets
        self.dropped_by_kernel += dropped
        if len(self.interfaces) == 1:
            self.interfaces[0].received = self._received
            self.interfaces[0].dropped_by_system = self.dropped_by_kernel

    def close(self) -> None:
        super().close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._ring is not None:
            self._words = self._halves = self._view = memoryview(b"")
            with contextlib.suppress(BufferError):  # somebody still looks at the last frames
                self._ring.close()
            self._ring = None


def _socket(name: str) -> Any:
    conf = scapy_configuration()
    try:
        # Not promiscuous yet, and without its filter: both are set for all interfaces together.
        return conf.L2listen(iface=name, promisc=False, nofilter=1)
    except PermissionError:
        python = os.path.realpath(sys.executable)
        raise LiveError(
            f"no permission to capture on {name}: run it with sudo, or allow this Python to: `sudo setcap "
            f"cap_net_raw+ep {python}`; or use --source dumpcap as a member of the group wireshark"
        ) from None
    except OSError as error:
        raise LiveError(f"cannot capture on {name}: {error.strerror or error}") from None


def _bind_to_all(raw: socket.socket) -> None:
    """To interface 0, which is all of them; Python's own `bind` wants one that exists."""
    address = struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(_ALL_PROTOCOLS), 0, 0, 0, 0, b"")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(raw.fileno(), address, len(address)):
        reason = os.strerror(ctypes.get_errno())
        raise LiveError(f"cannot capture on several interfaces at once: {reason}; name one")
