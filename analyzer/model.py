"""The data a report is made of. These structs define the JSON; `analyzer schema` prints their schema.

Names are a promise to users: fields may be added, none renamed. What is absent is None (JSON null), never
missing and never guessed.

`gc=False`: no struct here can be part of a cycle, and large reports spend less time looking for one.
"""

from __future__ import annotations

import importlib
from typing import Literal

import msgspec

Side = Literal["client", "server"]
Outcome = Literal["documented", "variant", "diverged", "incomplete", "unseen"]
Cause = Literal[
    "mid-stream", "one-sided", "lost-in-capture", "snaplen", "no-keys", "evicted", "never-opened",  # unseen
    "open-at-end", "connection-ended",  # incomplete
]  # fmt: skip


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """One end of a connection. `port` is 0 to 65535."""

    address: str
    port: int


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event of a run, or several equal ones folded: the evidence behind a verdict."""

    side: Side
    step: str
    packet: int  # the packet that completed it, as Wireshark counts
    last_packet: int  # the last of the folded ones
    at_ns: int  # relative to the connection's first packet
    times: int = 1
    seen: Literal["observed", "inferred", "hidden"] = "observed"
    retransmission: bool = False


class Divergence(msgspec.Struct, frozen=True, gc=False):
    """The first step that no flow allows, what was expected there, and the nearest flow with the fewest edits."""

    packet: int
    side: Side
    saw: str
    expected: list[str]
    nearest: str | None
    edits: list[str]


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A flow held against a connection."""

    flow: str | None
    outcome: Outcome
    cause: Cause | None = None
    begun_by: Side | None = None
    drawn_in_article: str | None = None
    standard: str | None = None
    branches: list[str] = []
    differs: list[str] = []
    steps: list[Step] = []
    divergence: Divergence | None = None
    retransmitted: int = 0


class CloseVerdict(Verdict, frozen=True, kw_only=True, gc=False):
    """A verdict of scope tcp-close."""

    closed_by: Side | None = None


class PerSide(msgspec.Struct, frozen=True, gc=False):
    """A count per side."""

    client: int = 0
    server: int = 0


class TcpOptions(msgspec.Struct, frozen=True, gc=False):
    """What one side's SYN said (RFC 9293 §3.2). All None when its SYN was not captured."""

    initial_sequence_number: int | None = None
    mss: int | None = None  # bytes
    window_scale: int | None = None  # shift count, RFC 7323 §2
    sack_permitted: bool | None = None  # RFC 2018
    timestamps: bool | None = None  # RFC 7323 §3
    fast_open: bool | None = None  # RFC 7413: option present
    mptcp: bool | None = None  # RFC 8684: MP_CAPABLE or MP_JOIN
    ecn: bool | None = None  # RFC 3168 §6.1.1


class Tcp(msgspec.Struct, frozen=True, gc=False):
    """What the two SYNs negotiated."""

    client: TcpOptions = TcpOptions()
    server: TcpOptions = TcpOptions()


class Timing(msgspec.Struct, frozen=True, gc=False):
    """Durations in nanoseconds. `handshake_ns`: first SYN to the ACK that completes the handshake."""

    handshake_ns: int | None = None
    tls_ns: int | None = None
    first_response_ns: int | None = None


class Notes(msgspec.Struct, frozen=True, gc=False):
    """What happened on the way, counted in segments, both sides together."""

    retransmissions: int = 0
    out_of_order: int = 0
    lost_segments: int = 0
    duplicate_acks: int = 0
    zero_windows: int = 0
    keep_alives: int = 0
    resets: int = 0
    resets_ignored: int = 0  # not a close: not the number expected (RFC 5961 §3.2), or the receiver went on
    icmp_errors: int = 0  # ICMP errors that quote one of its segments
    duplicates: int = 0  # the same packet captured once more: counted in `packets`, and in nothing else
    cut_segments: int = 0  # with payload that the snapshot length left out
    uncaptured_bytes: int = 0  # acknowledged by their receiver, but not in the capture: lost there, not on the path
    bad_checksums: int | None = None  # TCP or IPv4; None: nobody looked
    unfilled_checksums: int | None = None  # left to the network card by their sender: on the wire they were others


class IcmpError(msgspec.Struct, frozen=True, gc=False):
    """An ICMP or ICMPv6 error that quotes a segment of the connection: RFC 792, RFC 4443."""

    packet: int
    type: int
    code: int
    meaning: str | None  # in words; None: one that the RFCs do not know
    mtu: int | None = None  # of the link that the segment did not fit: RFC 1191, RFC 8201


class Encapsulation(msgspec.Struct, frozen=True, gc=False):
    """A header that stands around the connection's packets."""

    type: str  # "vxlan", "gre", "mpls" …
    id: int | None = None  # VXLAN's network, GRE's key, MPLS's label …
    source: str | None = None  # addresses of the IP header that it stands behind
    destination: str | None = None


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Something wrong with the traffic or with the capture, at a packet."""

    packet: int
    layer: str
    message: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An X.509 certificate as a TLS side sent it (RFC 5280). What could not be read is None.

    Of a chain only the first has `name_matches` (None also where the client asked for no name) and `trusted`: whether
    its issuers lead to a trusted root, each of them in date and allowed to sign. Its own dates are not part of that.
    """

    subject: str | None  # RFC 4514
    issuer: str | None
    not_before: str | None  # RFC 3339, UTC
    not_after: str | None
    names: list[str] = []  # subjectAltName: DNS names and IP addresses
    sha256: str  # of its DER form, hexadecimal
    valid_at_capture: bool | None = None  # at the time of the capture, not of the analysis
    name_matches: bool | None = None  # the server's leaf and the server name asked for (RFC 9525)
    trusted: bool | None = None  # the leaf: whether the chain leads to a trusted root
    problems: list[str] = []
    serial: str | None = None  # hexadecimal
    key: str | None = None  # type and bits: "RSA 2048", "EC 256", "Ed25519 256"
    signature: str | None = None  # "RSA with SHA256", "ECDSA with SHA384", or an OID


class Alert(msgspec.Struct, frozen=True, gc=False):
    """A TLS alert (RFC 8446 §6). Without keys an encrypted one shows its side and packet only."""

    side: Side
    level: str | None  # "warning" or "fatal"
    description: str | None  # as IANA names it: "handshake_failure"
    packet: int
    encrypted: bool = False


class Tls(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The TLS of a connection. What belongs to a handshake is that of the first one."""

    version: str | None  # as negotiated: "TLS 1.3"; None: no ServerHello was captured
    cipher_suite: str | None  # as IANA names it
    key_exchange: str | None  # the group's name, else "rsa", "dhe", "psk" …
    server_name: str | None  # as the client asked for it, RFC 6066 §3
    alpn: str | None  # as the server chose, RFC 7301; of TLS 1.3 only with keys
    alpn_offered: list[str] = []
    resumed: bool | None = None
    client_authenticated: bool | None = None  # None: encryption hides it
    strength: str | None = None  # of version and cipher suite: "strong", "acceptable", "weak", "broken"
    strength_reason: str | None = None
    ja3: str | None = None
    ja3s: str | None = None
    ja4: str | None = None
    decrypted: bool = False
    decryption: str | None = None  # where the keys came from, or why it was not decrypted
    certificates: list[Certificate] = []  # the server's, its own first
    client_certificates: list[Certificate] = []
    alerts: list[Alert] = []
    close_notify: PerSide | None = None  # packet of each side's closure alert, 0: none was seen; None: cannot tell
    records: PerSide = PerSide()
    application_bytes: PerSide = PerSide()  # of application data records: as encrypted, or as decrypted
    handshakes: list[Verdict] = []


class Request(msgspec.Struct, frozen=True, gc=False):
    """An HTTP request (RFC 9112 §3, RFC 9113 §8.3.1). Sizes in bytes.

    HTTP/2 compresses header fields: method and target are None where they depend on what was not captured.
    """

    method: str | None
    target: str | None
    authority: str | None
    packet: int  # its first byte
    header_bytes: int
    header_bytes_on_wire: int
    body_bytes: int
    body_bytes_lost: int = 0  # of these, not in the capture
    headers: list[tuple[str, str]] | None = None  # with `--headers`
    header_fields_unknown: int = 0  # HTTP/2: those that depend on what was not captured; `header_bytes` is without them


class Response(msgspec.Struct, frozen=True, gc=False):
    """A final HTTP response (RFC 9112 §4). Sizes in bytes."""

    status: int | None  # None: HTTP/0.9, which has none
    packet: int  # its first byte
    header_bytes: int
    header_bytes_on_wire: int
    body_bytes: int
    last_packet: int
    complete: bool
    body_bytes_lost: int = 0
    headers: list[tuple[str, str]] | None = None
    header_fields_unknown: int = 0


class Reset(msgspec.Struct, frozen=True, gc=False):
    """An HTTP/2 stream ended by RST_STREAM (RFC 9113 §6.4)."""

    side: Side
    error: str  # as IANA names it: "CANCEL"
    packet: int


class Grpc(msgspec.Struct, frozen=True, gc=False):
    """gRPC over one HTTP/2 stream."""

    status: int | None  # of the trailers
    messages: PerSide | None  # None: bytes of the stream were lost


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """One request and its response; one of them may be missing. Times in ns since the connection's first packet."""

    stream: int | None
    request: Request | None
    response: Response | None
    started_ns: int | None  # the request's first byte
    first_byte_ns: int | None  # the response's first byte
    finished_ns: int | None  # the response's last byte
    multiplexed_with: list[int] = []
    interleaved: bool = False
    pushed: bool = False
    interim: list[int] = []
    verdict: Verdict | None = None  # of scope http2-stream
    multiplexed_with_not_listed: int = 0  # further streams
    protocol: str | None = None  # of an extended CONNECT, RFC 8441
    trailers: list[tuple[str, str]] | None = None  # with `--headers`
    grpc: Grpc | None = None
    reset: Reset | None = None
    websocket: WebSocket | None = None  # inside an HTTP/2 stream, RFC 8441
    tunnel: Tunnel | None = None  # inside an HTTP/2 stream, RFC 9113 §8.5


class Frames(msgspec.Struct, frozen=True, gc=False):
    """WebSocket frames by opcode, per side."""

    client: dict[str, int] = {}
    server: dict[str, int] = {}


class WebSocket(msgspec.Struct, frozen=True, gc=False):
    """What was said after an upgrade to WebSocket (RFC 6455)."""

    frames: Frames
    close_code: int | None


class Settings(msgspec.Struct, frozen=True, gc=False):
    """The HTTP/2 settings of each side, the last value of each, by IANA's names (RFC 9113 §6.5.2)."""

    client: dict[str, int] = {}
    server: dict[str, int] = {}


class Goaway(msgspec.Struct, frozen=True, gc=False):
    """A GOAWAY frame (RFC 9113 §6.8)."""

    side: Side
    error: str  # as IANA names it: "NO_ERROR"
    last_stream: int
    packet: int


class Stall(msgspec.Struct, frozen=True, gc=False):
    """A sender that had to wait for WINDOW_UPDATE (RFC 9113 §5.2)."""

    stream: int  # 0: the whole connection
    waiting: Side
    from_ns: int  # since the connection's first packet
    length_ns: int
    packet: int  # that ended it


class AlternativeService(msgspec.Struct, frozen=True, gc=False):
    """An ALTSVC frame: where else the server can be found (RFC 7838 §4)."""

    stream: int  # 0: for `origin`; else for the origin of that stream's request
    origin: str | None
    value: str  # as in the Alt-Svc field: 'h3=":443"; ma=3600'
    packet: int


class Origins(msgspec.Struct, frozen=True, gc=False):
    """An ORIGIN frame: what else the server speaks for (RFC 8336 §2)."""

    origins: list[str]
    packet: int


class Http(msgspec.Struct, frozen=True, gc=False):
    """The HTTP of a connection."""

    version: str | None  # the lowest that was spoken
    connection: Verdict  # of scope http1 or http2
    max_concurrent: int  # most exchanges in flight at once
    exchanges: list[Exchange]
    exchanges_not_listed: int = 0
    websocket: WebSocket | None = None
    # HTTP/2 only:
    settings: Settings | None = None
    goaway: list[Goaway] = []
    frames: dict[str, int] = {}  # how many of each type, both sides
    frame_switches: int = 0  # how often a frame belongs to another stream than the one before it
    stalls: list[Stall] = []
    head_of_line_waits: int = 0  # lost segments that held up other streams, whose bytes were already captured
    alternative_services: list[AlternativeService] = []
    origins: list[Origins] = []
    headers_with_priority: int = 0  # HEADERS frames with the flag PRIORITY, which RFC 9113 §5.3 deprecates


class Tunnel(msgspec.Struct, frozen=True, gc=False):
    """What ran inside CONNECT or SOCKS, or after an Upgrade or STARTTLS."""

    after: str  # "CONNECT example.test:443", "SOCKS5 example.test:80", "STARTTLS smtp", "Upgrade h2c"
    bytes: PerSide
    tls: Tls | None = None
    http: Http | None = None


class Connection(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="connection"):
    """One lifetime of a 5-tuple."""

    capture: str
    id: int
    tcp_stream: int | None
    transport: Literal["tcp"] = "tcp"
    client: Endpoint
    server: Endpoint
    oriented_by: Literal["syn", "content", "port", "first-packet"]
    vlan: list[int] = []  # VLAN ids of the first packet, outermost first
    encapsulation: list[Encapsulation] = []  # further headers around the first packet, outermost first
    first_packet: int
    last_packet: int
    start: str  # RFC 3339, UTC, nanoseconds
    duration_ns: int
    packets: PerSide
    payload_bytes: PerSide
    tcp: Tcp
    open: Verdict
    close: CloseVerdict
    proxy_protocol: Literal[1, 2] | None = None  # its version, if a PROXY protocol header came first
    proxied_for: Endpoint | None = None  # the client it names
    tls: Tls | None = None  # the outermost, wherever it begins
    http: Http | None = None  # likewise
    tunnel: Tunnel | None = None
    timing: Timing
    lifecycle: Verdict | None = None
    icmp_error: IcmpError | None = None  # the first one
    notes: Notes
    faults: list[Fault] = []

    def _repr_html_(self) -> str:
        """What Jupyter shows. The only thing here that knows of a later stage, and only when it is asked for."""
        shown: str = importlib.import_module("analyzer.reporter.outputs.notebook").connection_html(self)
        return shown


Scope = Literal["tcp-open", "tcp-close", "tls", "http1", "http2", "http2-stream"]


class LiveEvent(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="event"):
    """A step of a connection, told while it is captured: as it looked then. Which flow it belongs to says the verdict,
    when the connection has ended."""

    at: str  # RFC 3339, UTC, nanoseconds
    connection: int  # its id
    side: Side
    step: str
    packet: int
    scope: Scope
    client: Endpoint
    server: Endpoint
    stream: int | None = None  # of HTTP/2
    detail: str | None = None  # a server name, a request, a status, an error
    retransmission: bool = False


Ended = Literal["stopped", "packets", "duration", "interface-gone", "end-of-input", "failed"]


class LiveSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="summary"):
    """What a live capture came to, and what it missed. Counts are packets if nothing else is said."""

    packets: int
    bytes: int  # on the wire
    connections: int
    open_at_end: int  # connections
    evicted: int  # connections that had to make room, or were idle for too long
    dropped_by_kernel: int | None  # None: nobody told
    dropped_by_us: int
    late: int  # came after their connection had been reported
    damaged: int
    duration_ns: int  # from the first to the last packet
    ended: Ended
    saved: int | None  # packets written to a file


class Event(msgspec.Struct, frozen=True, gc=False):
    """A step of a protocol as a scope's pages name it. `fields` are what attribute tests may compare."""

    side: Side
    step: str
    packet: int
    at_ns: int  # relative to the connection's first packet
    payload: int = 0  # bytes
    retransmission: bool = False
