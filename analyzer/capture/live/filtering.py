"""Capture filters as programs that the kernel runs on every packet of a socket, before the packet is copied.

The language is libpcap's, and it compiles it. What is put in front lets one socket serve several interfaces: their
packets have different headers, so each kind needs a program of its own. Source: Linux, Documentation/networking/
filter.rst, include/uapi/linux/filter.h.
"""

from __future__ import annotations

import ctypes
import dataclasses
import socket
import struct
from collections.abc import Sequence

from analyzer.capture.selection import compiled_for
from analyzer.errors import LiveError

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
_MOST_INSTRUCTIONS = 4096  # BPF_MAXINSNS

# Beyond the packet there is more that a program may load: SKF_AD_OFF and what is there.
_BEYOND = 0xFFFFF000
PACKET_TYPE, INTERFACE, HARDWARE_TYPE = 4, 8, 28
_OUTGOING = 4  # of PACKET_TYPE

_LOAD_WORD, _RETURN, _JUMP, _JUMP_IF_EQUAL = 0x20, 0x06, 0x05, 0x15

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


@dataclasses.dataclass(frozen=True)
class Branch:
    """A program for the packets of some interfaces. `value` is what `by` has for them."""

    by: int  # INTERFACE or HARDWARE_TYPE
    value: int
    program: tuple[Instruction, ...]
    loopback: bool = False  # each packet passes twice, as sent and as received: only the second one is taken


def accepting(snaplen: int) -> tuple[Instruction, ...]:
    """Every packet, cut to `snaplen` bytes."""
    return ((_RETURN, 0, 0, snaplen),)


def compiled(
    expression: str | None, link_type: int, snaplen: int, interface: str | None = None
) -> tuple[Instruction, ...]:
    """The program for packets of one link type (LINKTYPE_). Raises UsageError with what libpcap says.

    `interface`: one of this type, so that libpcap knows what the kernel has taken out of its packets: VLAN tags.
    """
    if expression is None:
        return accepting(snaplen)
    return tuple(compiled_for(expression, link_type, snaplen, interface))


def joined(branches: Sequence[Branch]) -> list[Instruction]:
    """One program that runs the first branch whose packet it is, and drops the packets of none."""
    if len(branches) == 1 and branches[0].by == INTERFACE and not branches[0].loopback:
        return list(branches[0].program)  # the socket is bound to that interface
    program: list[Instruction] = []
    for branch in branches:
        # The jumps of a comparison reach 255 instructions, those of JUMP any.
        body = [*_unless_outgoing(), *branch.program] if branch.loopback else list(branch.program)
        program += [
            (_LOAD_WORD, 0, 0, _BEYOND + branch.by),
            (_JUMP_IF_EQUAL, 1, 0, branch.value),
            (_JUMP, 0, 0, len(body)),
            *body,
        ]
    return [*program, (_RETURN, 0, 0, 0)]


def _unless_outgoing() -> list[Instruction]:
    return [(_LOAD_WORD, 0, 0, _BEYOND + PACKET_TYPE), (_JUMP_IF_EQUAL, 0, 1, _OUTGOING), (_RETURN, 0, 0, 0)]


def attach(to: socket.socket, program: Sequence[Instruction]) -> None:
    """The socket gets only what the program lets through. Raises LiveError if it is too long for the kernel."""
    if len(program) > _MOST_INSTRUCTIONS:
        raise LiveError(
            f"the capture filter comes to {len(program)} instructions, and the kernel takes {_MOST_INSTRUCTIONS}: "
            "use a shorter one, or fewer interfaces"
        )
    packed = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in program))
    # struct sock_fprog: a count, and a pointer.
    to.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(packed)))
