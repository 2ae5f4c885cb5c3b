"""Numbers that the compiled modules and their readers share: kinds, flags, and the words of a connection's row.

A row is plain 64-bit integers in one array, so that half a million connections are half a million rows and not one
Python object. `connections.py` writes rows, the reporter reads them when a connection is finished. `layout.pxd` repeats
these numbers as C constants; a test holds the two against each other.
"""

from __future__ import annotations

# Kinds of frame, column `kind` of the packet table.
KIND_OTHER = 0
KIND_TCP = 1
KIND_UDP = 2
KIND_QUIC = 3  # UDP that begins with a QUIC long header
KIND_ICMP = 4
KIND_ICMP_ERROR = 5  # an ICMP error that quotes a TCP segment
KIND_FRAGMENT = 6
KIND_DAMAGED = 7  # a header that is cut off or contradicts itself
KIND_EXCLUDED = 8  # left out by a capture filter or a time window
KIND_PROTECTED = 9  # an encrypted IEEE 802.11 frame
KIND_BAD_CHECKSUM = 10  # a segment left out because its checksum is wrong
KINDS = 11

# Headers of the link layer inside one another, and packets put together from such that were put together. No real frame
# comes near; hostile ones must not exhaust the stack.
MOST_NESTED = 8

# Set as a frame's link type by a filter: the frame keeps its number and is not looked at.
LINK_EXCLUDED = -1

# TCP flags as in octets 12 and 13 of the header, RFC 9293 §3.1.
FLAG_FIN = 1
FLAG_SYN = 2
FLAG_RST = 4
FLAG_ACK = 16
FLAG_ECE = 64
FLAG_CWR = 128

# Column `options`: which TCP options a segment carries.
OPTION_SACK_PERMITTED = 1
OPTION_SACK = 2
OPTION_TIMESTAMPS = 4
OPTION_FAST_OPEN = 8
OPTION_MPTCP = 16

# Column `handed`: why a segment is handed to the dissector of its connection's bytes.
HANDED_NOT = 0
HANDED_BYTES = 1
HANDED_END = 2  # a FIN or an accepted RST, without bytes that are wanted
HANDED_ACK = 3  # an acknowledgement, while the peer's bytes have a hole
HANDED_KNOWN = 4  # bytes that tell, for the first time, what a connection without captured SYN speaks

# Column `note`: what became of a segment, if anything was noticed. As counted in the row, and nowhere judged anew.
NOTE_NONE = 0
NOTE_RETRANSMISSION = 1
NOTE_OUT_OF_ORDER = 2
NOTE_DUPLICATE_ACK = 3
NOTE_KEEP_ALIVE = 4
NOTE_AFTER_GAP = 5  # bytes before it had not been captured by then
NOTE_COPY = 6  # of a packet captured before

# Column `checksum`, of TCP segments where checksums are looked at.
CHECKSUM_RIGHT = 0  # or not to be told: cut off, or behind headers that change the sum
CHECKSUM_BAD = 1
CHECKSUM_UNFILLED = 2  # the sender left it to the network card

# Words of a connection's row.
FIRST_PACKET = 0
LAST_PACKET = 1
START_NS = 2
LAST_NS = 3
FLAGS = 4
ID = 5  # counts connections of the capture by their first packet, from 0
OPEN_RUN = 6  # where the automaton of scope tcp-open stands; RUN_ below
CLOSE_RUN = 7
EVENT_HEAD = 8  # first and last event in the event pool, and how many
EVENT_TAIL = 9
EVENT_COUNT = 10
ENDED_NS = 11  # capture time of the end: an accepted RST, or the acknowledgement of the second FIN
PREVIOUS = 12  # neighbours in the list of open, or of ended connections
FOLLOWING = 13
VLAN = 14  # as in the packet table
OPENED_NS = 15  # when the handshake was complete
RETRANSMISSIONS = 16  # counters, in segments, both sides together
OUT_OF_ORDER = 17
LOST_SEGMENTS = 18
DUPLICATE_ACKS = 19
ZERO_WINDOWS = 20
KEEP_ALIVES = 21
RESETS = 22
RESETS_IGNORED = 23
ICMP_ERRORS = 24  # that quote a segment of it
DUPLICATES = 25  # packets captured more than once: the copies
CUT_SEGMENTS = 26  # segments with payload that the snapshot length cut
UNCAPTURED_BYTES = 27  # set when finished: acknowledged by the peer, but never captured
BAD_CHECKSUMS = 28  # segments; only where checksums are looked at
UNFILLED_CHECKSUMS = 29  # segments whose sender left the checksum to the network card
FAULT_PACKET = 30  # the first packet with BAD_SYN_ACK
STREAM = 31  # Wireshark's tcp.stream: as ID, but it also numbers what only ICMP errors quote
RETRY_PACKET = 32  # the first packet with RETRIED
RESET_AT = 33  # what the side whose RST ended the connection had sent by then; 0: it answers the SYN after all
ENCAPSULATION = 34  # of the first packet, as in the packet table
ICMP_PACKET = 35  # of the first ICMP error: its packet, and type << 8 | code | MTU << 16
ICMP_SAID = 36
LAST_MOMENT = 37  # as LAST_NS, by a clock that is never set back: `clock_shift` in `rows.py`

# Then SIDE_WORDS words for the sender of the first packet, and as many for its peer. Offsets count a side's sequence
# space from its SYN (0) on and do not wrap; -1 is "not known".
SIDES = 38
SIDE_WORDS = 19
ISN = 0  # sequence number at offset 0: the SYN's, or guessed from the first segment
SENT = 1  # offset after the last byte, SYN or FIN captured
ACKED = 2  # how much of the *peer's* sequence space this side has acknowledged
WINDOW = 3  # last advertised, as in the header
PACKETS = 4
BYTES = 5  # payload on the wire
FIN_AT = 6  # offset of the FIN
SYN_OPTIONS = 7  # SYN_OPTION_ below
GAPS = 8  # first hole in the captured bytes, in the gap pool
STATE = 9
AHEAD = 10  # the highest acknowledgement of something not captured by then, and its packet
AHEAD_PACKET = 11
AHEAD_NS = 12
WANTED = 13  # offset from which the dissector wants this side's bytes; the largest number: none any more
MISSING = 14  # bytes in the holes, together
DATA_PACKET = 15  # the last that brought new bytes, and its time
DATA_NS = 16
FIRST_AHEAD_PACKET = 17  # as AHEAD_PACKET, of the first such acknowledgement
FIRST_AHEAD_NS = 18
ROW_WORDS = 76

# Words of a connection's key: endpoint A is the lower of the two by address and port.
KEY_WORDS = 8
KEY_HIGH_A = 0
KEY_LOW_A = 1
KEY_HIGH_B = 2
KEY_LOW_B = 3
KEY_PORTS = 4  # port A << 48 | port B << 32 | tunnel << 4 | IP version
KEY_VLAN = 5  # 0 unless VLAN ids are part of the key
KEY_HASH = 6

# FLAGS of a connection.
BY_SYN = 1
BY_PORT = 2
SWAPPED = 4  # the sender of the first packet is the server
FIRST_IS_A = 8
OPENED = 16  # the handshake was captured and is complete
ENDED = 32
EVICTED = 64  # dropped to stay within the limit on connections
REUSED = 128  # ended by a SYN with another initial sequence number
EVENTS_FULL = 256
RECENT = 512  # has had a packet since the eviction last looked
BY_CONTENT = 1024  # client and server by what they say
ELSEWHERE = 131072  # another process looks into it and reports it
FOLLOWED = 262144  # bytes of it were handed on, so its end is handed on, too
BAD_SYN_ACK = 2048  # a SYN-ACK whose numbers do not fit
RETRIED = 4096  # opened again with the same numbers after a reset
QUOTED = 8192  # only quoted by ICMP errors so far: holds its number, is not reported
REPORTED = 16384  # ended, and reported as it was then; what comes later is passed over
TAKEN = 32768  # the report has been taken away
GONE = 65536  # out of the hash table: the row is free when the report has been taken away

# STATE of a side.
HAS_ISN = 1
SYN_SEEN = 2
SYN_ACK_SEEN = 4
SYN_ACKED = 8
FIN_ACKED = 16
DATA_SENT = 32  # the event DATA was emitted
MOVED_ON = 64  # sent as if its opening were complete, which was not captured
UNSURE = 256  # sent a RST beyond what was captured of it: the capture cannot tell whether it was accepted
RESETTER = 512  # its RST ended the connection
OVERTOOK = 2048  # acknowledged the peer's FIN with a segment before which something was missing
ANSWERED = 1024  # acknowledged something new after its FIN: the peer was heard
LOST = 128  # set when finished: the peer acknowledged bytes of this side that were never captured

# SYN_OPTIONS of a side: bits, then the window scale and the maximum segment size, each plus one.
SYN_OPTION_PRESENT = 1
SYN_OPTION_SACK = 2
SYN_OPTION_TIMESTAMPS = 4
SYN_OPTION_FAST_OPEN = 8
SYN_OPTION_MPTCP = 16
SYN_OPTION_ECN = 32
SYN_OPTION_SCALE_SHIFT = 8
SYN_OPTION_MSS_SHIFT = 24

# Words of an event.
EVENT_WORDS = 6
EVENT_NEXT = 0
EVENT_CODE = 1  # symbol of the scope's automaton << 2 | scope << 1 | retransmission
EVENT_PACKET = 2
EVENT_LAST_PACKET = 3
EVENT_NS = 4
EVENT_TIMES = 5

# Words of the log of events as they happen, which is kept for live capture only.
LOG_WORDS = 5
LOG_CONNECTION = 0  # its ID
LOG_CODE = 1  # as EVENT_CODE
LOG_PACKET = 2
LOG_NS = 3
LOG_ROW = 4  # the connection's, until what is finished is taken

# Words of a hole in what was captured of a side.
GAP_WORDS = 4
GAP_START = 0  # offsets, as of a side
GAP_END = 1
GAP_NEXT = 2
GAP_NS = 3  # when it was noticed

# A RUN word: the automaton's state; the last complete state; the place among the connection's events of the first
# that no page allows, plus one; and whether the run is over.
RUN_STATE_MASK = 0xFFFF
RUN_BEST_SHIFT = 16
RUN_DIVERGED_SHIFT = 32
RUN_OVER_SHIFT = 48

# Indices of the steps, `tcp.STEPS`, and of the scopes.
STEP_SYN = 0
STEP_SYN_ACK = 1
STEP_ACK = 2
STEP_DATA = 3
STEP_FIN = 4
STEP_FIN_ACK = 5
STEP_RST = 6
STEP_ICMP = 7
SCOPE_OPEN = 0
SCOPE_CLOSE = 1

# Events kept per connection, and holes per side. Beyond them the report says so.
MOST_EVENTS = 256
MOST_GAPS = 64
