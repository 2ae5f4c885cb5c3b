"""Connections as the pipeline would report them, for tests of what is printed."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from analyzer import model
from analyzer.errors import InputError
from analyzer.flows import load_library
from analyzer.reporter.templates import encode_line

_ENCODER = msgspec.json.Encoder()

HANDSHAKE = "C SYN 1 0.0, S SYN-ACK 2 0.21, C ACK 3 0.31"
FOUR_WAY = "C FIN 38 80.1, S ACK 39 80.4, S FIN 40 81.0, C ACK 42 81.2345"


FULL_1_3 = (
    "C ClientHello 4 0.4, S ServerHello 6 1.9, S ChangeCipherSpec 6 1.9, S EncryptedExtensions! 6 1.9, "
    "S Certificate! 7 1.9, S CertificateVerify! 7 1.9, S Finished! 7 1.9, C ChangeCipherSpec 9 2.4, C Finished! 9 2.4"
)


def steps(script: str) -> list[model.Step]:
    """`C SYN 1 0.0, S SYN-ACK 2 0.21`: side, step, packet, milliseconds; `SYN*3-7` is three times, the last in 7;
    `Finished?` was inferred, `Finished!` is hidden."""
    found = []
    for part in filter(None, map(str.strip, script.split(","))):
        side, rest = part.split(" ", 1)
        name, packet, at = rest.rsplit(" ", 2)
        first, _, last = packet.partition("-")
        name, _, times = name.partition("*")
        found.append(
            model.Step(
                side="client" if side == "C" else "server",
                step=name.rstrip("?!"),
                packet=int(first),
                last_packet=int(last or first),
                at_ns=round(float(at) * 1e6),
                times=int(times or 1),
                seen="inferred" if name.endswith("?") else "hidden" if name.endswith("!") else "observed",
            )
        )
    return found


def opened(script: str = HANDSHAKE, **given: Any) -> model.Verdict:
    fields: dict[str, Any] = {
        "flow": "tcp-open/three-way-handshake", "outcome": "documented", "begun_by": "client",
        "drawn_in_article": "F1", "standard": "RFC 9293 §3.5", "steps": steps(script),
    }  # fmt: skip
    return model.Verdict(**fields | given)


def closed(script: str = FOUR_WAY, **given: Any) -> model.CloseVerdict:
    fields: dict[str, Any] = {
        "flow": "tcp-close/four-way", "outcome": "documented", "begun_by": "client", "closed_by": "client",
        "drawn_in_article": "F3", "standard": "RFC 9293 §3.6", "steps": steps(script),
    }  # fmt: skip
    return model.CloseVerdict(**fields | given)


def unknown(outcome: str = "unseen", cause: str | None = "mid-stream") -> dict[str, Any]:
    """The fields of a verdict without a flow."""
    return {
        "flow": None, "outcome": outcome, "cause": cause, "begun_by": None, "drawn_in_article": None, "standard": None,
    }  # fmt: skip


def connection(**given: Any) -> model.Connection:
    """A connection in which nothing is remarkable, but for what is `given`. Endpoints may be (address, port)."""
    for side in ("client", "server"):
        if isinstance(given.get(side), tuple):
            given[side] = model.Endpoint(*given[side])
    fields: dict[str, Any] = {
        "capture": "web.pcapng",
        "id": 0,
        "tcp_stream": 0,
        "client": model.Endpoint("10.0.0.1", 50112),
        "server": model.Endpoint("10.0.0.2", 80),
        "oriented_by": "syn",
        "first_packet": 1,
        "last_packet": 42,
        "start": "2026-11-22T12:00:00.123456789Z",
        "duration_ns": 81_234_567,
        "packets": model.PerSide(20, 22),
        "payload_bytes": model.PerSide(1834, 40211),
        "tcp": model.Tcp(),
        "open": opened(),
        "close": closed(),
        "timing": model.Timing(handshake_ns=310_000),
        "notes": model.Notes(),
    }
    return model.Connection(**fields | given)


def refused(**given: Any) -> model.Connection:
    verdict = opened(
        "C SYN 50 0.0, S RST 51 0.045", flow="tcp-open/refused", outcome="variant", drawn_in_article=None,
        standard="RFC 9293 §3.5.2",
    )  # fmt: skip
    fields: dict[str, Any] = {
        "open": verdict, "close": closed("", closed_by=None, **unknown(cause="never-opened")),
        "first_packet": 50, "last_packet": 51, "packets": model.PerSide(1, 1), "payload_bytes": model.PerSide(),
        "duration_ns": 45_000, "timing": model.Timing(),
    }  # fmt: skip
    return connection(**fields | given)


def diverged(**given: Any) -> model.Connection:
    divergence = model.Divergence(
        packet=9, side="server", saw="RST", expected=["server FIN"], nearest="tcp-close/four-way",
        edits=["server FIN missing after packet 8"],
    )  # fmt: skip
    verdict = closed("C FIN 7 12.0, S ACK 8 12.2, S RST 9 12.9", divergence=divergence, **unknown("diverged", None))
    return connection(**{"close": verdict, "last_packet": 9, "packets": model.PerSide(4, 5)} | given)


def showcase() -> list[model.Connection]:
    """One of each kind, in the order in which they would finish."""
    long = "2001:db8:85a3:1234:5678:8a2e:370:7334"
    negotiated = model.Tcp(
        client=model.TcpOptions(1_000_000, 1460, 7, True, True, False, False, False),
        server=model.TcpOptions(mss=1440, window_scale=10, sack_permitted=True, ecn=True),
    )
    half_close = closed(
        "C FIN 70 80.1, S ACK 71 80.4, S DATA*12 72-83 80.6, S FIN 84 95.0, C ACK 85 95.1",
        flow="tcp-close/half-close", outcome="variant", drawn_in_article=None, differs=["five exchanges, drawn: one"],
        branches=["data after the FIN"],
    )  # fmt: skip
    return [
        connection(tcp=negotiated, notes=model.Notes(retransmissions=2, duplicate_acks=1)),
        refused(id=2, tcp_stream=2, client=("10.0.0.1", 50114), server=("10.0.0.2", 8080)),
        diverged(id=1, tcp_stream=1, client=("192.168.100.123", 50113), server=("192.168.100.200", 8443)),
        connection(
            id=3, tcp_stream=3, client=(long, 50115), server=("2001:db8::1", 443), close=half_close, vlan=[5, 100],
            timing=model.Timing(handshake_ns=12_400_000), duration_ns=125_000_000_000,
            payload_bytes=model.PerSide(512, 1_250_000_000), packets=model.PerSide(431_000, 862_000),
        ),
        connection(
            id=4, tcp_stream=4, client=("10.0.0.9", 40000), server=("10.0.0.2", 22), oriented_by="port",
            open=opened("", **unknown()), close=closed("", closed_by=None, **unknown("incomplete", "open-at-end")),
            timing=model.Timing(), faults=[model.Fault(7, "tcp", "the header length is below 20")],
        ),
        connection(
            id=5, tcp_stream=5, client=("10.0.0.1", 50116),
            open=opened("C SYN*3 90-97 0.0", flow="tcp-open/unanswered", outcome="incomplete", cause="open-at-end",
                        drawn_in_article=None, retransmitted=2),
            close=closed("", closed_by=None, **unknown(cause="never-opened")), timing=model.Timing(),
            packets=model.PerSide(3, 0), payload_bytes=model.PerSide(), first_packet=90, last_packet=97,
        ),
    ]  # fmt: skip


class Totals:
    """The counts of a capture; those not given are zero."""

    def __init__(self, **given: int):
        self.packets = self.tcp = self.udp = self.quic = self.icmp = self.other = self.damaged = 0
        self.reassembled = self.incomplete = self.overlapping = self.protected = self.too_deep = 0
        self.fragments = self.filtered_out = self.late = self.connections = self.dropped_by_interface = 0
        self.left_out = self.bad_checksums = self.unfilled_checksums = self.out_of_order = 0
        self.set_back = self.set_back_packet = self.set_back_ns = 0
        self.__dict__.update(given)


class Analysis:
    """What `pipeline.analyze` returns, without a pipeline. An exception among `connections` is raised in its place."""

    def __init__(
        self, connections: Sequence[model.Connection | BaseException], totals: Totals | None = None,
        warnings: Sequence[Any] = (), size: int | None = 1000,
    ):  # fmt: skip
        self.name, self.size, self.position = "fake", size, 0
        self._connections = connections
        self.totals = totals or Totals(
            packets=200, tcp=180, connections=sum(isinstance(c, model.Connection) for c in connections)
        )
        self.warnings = list(warnings)
        self.closed = False

    def __iter__(self) -> Iterator[model.Connection]:
        for item in self._connections:
            if isinstance(item, BaseException):
                raise item
            yield item

    def lines(self) -> Iterator[bytes]:
        for item in self:
            yield encode_line(_ENCODER, item)

    def close(self) -> None:
        self.closed = True


@dataclasses.dataclass(frozen=True)
class Warning:
    offset: int
    message: str


@dataclasses.dataclass
class Options:
    """The fields of `pipeline.Options`."""

    vlan_key: bool = False
    checksums: Literal["count", "verify"] | None = None
    packet_filter: str | None = None
    time_from: int | None = None
    time_to: int | None = None
    time_relative: bool = False
    linger_ns: int = 60 * 10**9
    flows: tuple[str, ...] = ()
    max_connections: int = 1 << 20
    tcp_only: bool = False
    keys: tuple[str, ...] = ()
    collect_secrets: bool = False
    authorities: str | None = None
    headers: bool = False
    secrets: bool = False
    samples: bool = False
    accounts: bool = False
    bodies: Any = None
    chunk_bytes: int | None = None
    idle_ns: int | None = None
    opening_ns: int | None = None
    share: tuple[int, int] = (0, 1)


def fake_pipeline(analyses: Mapping[str, Analysis | BaseException]) -> Any:
    """A module to stand for `analyzer.pipeline`: what `analyze` returns, or raises, for each path. `asked` has the
    options of every call."""
    module: Any = types.ModuleType("analyzer.pipeline")
    module.Options, module.asked = Options, []

    def analyze(path: str, options: Options) -> Analysis:
        module.asked.append(options)
        found = analyses.get(path)
        if found is None:
            raise InputError(f"there is no file {path}: check the name")
        if isinstance(found, BaseException):
            raise found
        return found

    module.analyze, module.library_of = analyze, functools.cache(load_library)
    return module


def exchange(
    asked: str | None = "GET /index.html", status: int | None = 200, body: int = 5120, at: float = 1.0, **given: Any
) -> model.Exchange:
    """`GET /index.html` and its answer, 0.42 ms from `at` on; `asked` or `status` None: that message is missing."""
    method, _, target = (asked or "").partition(" ")
    packet, headers, complete = given.pop("packet", 4), given.pop("headers", None), given.pop("complete", True)
    lost = given.pop("lost", 0)  # bytes of the response's body
    started = round(at * 1e6)
    fields: dict[str, Any] = {
        "stream": None,
        "request": asked
        and model.Request(method, target, "example.test", packet, 412, 412, given.pop("sent", 0), headers=headers),
        "response": status
        and model.Response(status, packet + 2, 310, 310, body, packet + 6, complete, lost, headers),
        "started_ns": started if asked else None,
        "first_byte_ns": started + 310_000 if status else None,
        "finished_ns": started + 420_000 if status and complete else None,
    }  # fmt: skip
    return model.Exchange(**{name: value or None for name, value in fields.items()} | given)


def http(*exchanges: model.Exchange, **given: Any) -> model.Http:
    fields: dict[str, Any] = {
        "version": "HTTP/1.1", "max_concurrent": 1, "exchanges": list(exchanges),
        "connection": opened("C request*2 4 1.0, S response*2 6 1.3", flow="http1/keep-alive", outcome="variant",
                             drawn_in_article=None, standard="RFC 9112 §9.3",
                             differs=[f"{len(exchanges)} exchanges, drawn: one"]),
    }  # fmt: skip
    return model.Http(**fields | given)


def web_showcase() -> list[model.Connection]:
    """Connections that speak HTTP: one exchange, many, odd ones, a WebSocket, a tunnel, and one that diverged."""
    single = opened(
        "C request 4 1.0, S response 6 1.3", flow="http1/single-exchange", drawn_in_article="F2", standard="RFC 9112 §9"
    )
    life = opened("C ref 3 0.3", flow="lifecycle/http1-connection", drawn_in_article="F4", standard="RFC 9112 §9")
    different = msgspec.structs.replace(life, outcome="variant", differs=["17 exchanges, drawn: one"])
    secret = [("Host", "example.test"), ("Cookie", "(not shown)")]
    long = "GET /a/very/long/path/" + "with-many-parts/" * 12 + "index.html?and=a&query=too"
    divergence = model.Divergence(6, "server", "response", ["client request"], "http1/single-exchange", [])
    astray = opened("S response 6 1.3", divergence=divergence, **unknown("diverged", None))
    odd = [
        exchange("POST /upload", 201, 0, sent=70_000, interim=[100]),
        exchange(long, 404, 153, packet=20, at=2),
        exchange("HEAD /gone", None, packet=30, at=3),
        exchange(None, 200, 9, packet=40, at=4),
        exchange("GET /cut", 200, 1_000_000, packet=50, at=5, complete=False),
        exchange("GET /early", 200, 3, packet=60, at=6, interim=[103, 103, 103, 103]),
        exchange("OPTIONS *", 204, 0, packet=70, at=7),
        exchange("GET /lost", 200, 90_000, packet=80, at=8, lost=1448),
    ]
    frames = model.WebSocket(model.Frames({"text": 3, "close": 1}, {"text": 1200}), 1000)
    tunnel = model.Tunnel("CONNECT example.test:80", model.PerSide(154, 4170), http=http(exchange(packet=9)))
    lost = opened("", divergence=divergence, **unknown("diverged", None))
    return [
        connection(http=http(exchange(headers=secret), connection=single), lifecycle=life),
        connection(
            id=1, http=http(*[exchange(f"GET /{n}", at=n, packet=10 * n) for n in range(1, 18)], max_concurrent=3),
            lifecycle=different, proxy_protocol=1, proxied_for=model.Endpoint("192.0.2.10", 36730),
        ),
        connection(id=2, http=http(*odd, exchanges_not_listed=3)),
        connection(id=3, http=http(exchange("GET /chat", 101, 0), websocket=frames)),
        connection(id=4, http=http(exchange("CONNECT example.test:80", 200, 0), version="HTTP/1.0"), tunnel=tunnel),
        connection(id=5, http=http(exchange(None, 200, 9), connection=astray), lifecycle=lost),
        refused(id=6),
    ]  # fmt: skip


def handshake(script: str = FULL_1_3, **given: Any) -> model.Verdict:
    fields: dict[str, Any] = {
        "flow": "tls/1.3-full", "outcome": "variant", "drawn_in_article": None, "standard": "RFC 8446 §2",
    }  # fmt: skip
    return opened(script, **fields | given)


def rejected(script: str = "C ClientHello 4 0.4, S Alert 6 0.9", **given: Any) -> model.Verdict:
    return handshake(script, **{"flow": "tls/rejected", "standard": "RFC 8446 §6.2"} | given)


def certificate(**given: Any) -> model.Certificate:
    fields: dict[str, Any] = {
        "subject": "CN=example.test", "issuer": "CN=Test Authority,O=Tests", "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2027-01-01T00:00:00Z", "names": ["example.test", "*.example.test"], "sha256": "5f" * 32,
        "valid_at_capture": True, "name_matches": True, "trusted": True, "serial": "1f2e", "key": "EC secp256r1",
        "signature": "ECDSA with SHA256",
    }  # fmt: skip
    return model.Certificate(**fields | given)


def tls(*handshakes: model.Verdict, **given: Any) -> model.Tls:
    fields: dict[str, Any] = {
        "version": "TLS 1.3", "cipher_suite": "TLS_AES_128_GCM_SHA256", "key_exchange": "x25519",
        "server_name": "example.test", "alpn": "h2", "alpn_offered": ["h2", "http/1.1"], "resumed": False,
        "client_authenticated": False, "strength": "strong", "strength_reason": "TLS 1.3 (RFC 8446 §9.1)",
        "ja3": "cd08e31494f9531f560d64c695473da9", "ja3s": "15af977ce25de452b96affa2addb1036",
        "ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1", "decrypted": True, "decryption": "keylog",
        "certificates": [certificate()], "close_notify": model.PerSide(37, 0), "records": model.PerSide(5, 9),
        "application_bytes": model.PerSide(412, 40_211), "handshakes": list(handshakes or (handshake(),)),
    }  # fmt: skip
    return model.Tls(**fields | given)


NO_KEYS = "no secret for client random 4f2ac3d4e5f60718; was SSLKEYLOGFILE set before the browser started?"


def tls_showcase() -> list[model.Connection]:
    """Connections that speak TLS: decrypted or not, renegotiated, rejected, with bad certificates, in tunnels."""
    expired = certificate(
        subject="CN=old.example.test", names=[f"host{n}.example.test" for n in range(30)],
        not_after="2026-11-01T00:00:00Z", valid_at_capture=False, name_matches=False, trusted=False,
        sha256="ab" * 32, key="RSA 1024", signature="RSA with SHA1",
        problems=["expired by 21 days at the time of the capture",
                  "name mismatch: example.test was asked for, the names are host0.example.test, host1.example.test …",
                  "weak key: RSA of 1024 bits, 2048 are the least (RFC 9325 §4.5)"],
    )  # fmt: skip
    rsa = handshake(
        "C ClientHello 4 0.4, S ServerHello 6 1.9, S Certificate 6 1.9, S ServerHelloDone 6 1.9, "
        "C ClientKeyExchange 8 2.6, C ChangeCipherSpec 8 2.6, C Finished? 8 2.6, S ChangeCipherSpec 9 3.0, "
        "S Finished? 9 3.0",
        flow="tls/1.2-rsa", outcome="documented", drawn_in_article="F6", standard="RFC 5246 §7.3",
    )  # fmt: skip
    again = handshake(
        "S HelloRequest 20 9.0, C ClientHello 21 9.4, S ServerHello 22 9.9", flow="tls/1.2-renegotiation",
        standard="RFC 5746", outcome="incomplete", cause="connection-ended",
    )  # fmt: skip
    ecdhe = {
        "version": "TLS 1.2", "cipher_suite": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "alpn": None,
        "decrypted": False, "decryption": NO_KEYS, "strength_reason": "forward secrecy and authenticated encryption",
    }  # fmt: skip
    astray = model.Divergence(6, "server", "Finished", ["server ServerHello"], "tls/1.3-full", [])
    nothing: dict[str, Any] = {
        "version": None, "cipher_suite": None, "key_exchange": None, "alpn": None, "strength": None, "ja3s": None,
        "strength_reason": None, "resumed": None, "client_authenticated": None, "certificates": [],
        "decrypted": False, "decryption": None, "close_notify": None, "records": model.PerSide(1, 1),
        "application_bytes": model.PerSide(),
    }  # fmt: skip
    refusal = model.Alert("server", "fatal", "handshake_failure", 6)
    weak = {
        "version": "TLS 1.0", "cipher_suite": "TLS_RSA_WITH_RC4_128_SHA", "key_exchange": "rsa", "strength": "broken",
        "strength_reason": "RC4 must not be negotiated (RFC 7465); TLS 1.0 must not be negotiated any more (RFC 8996)",
        "alpn": None, "alpn_offered": [], "decryption": "rsa-key", "server_name": None,
    }  # fmt: skip
    inside = tls(decrypted=False, decryption=NO_KEYS.replace("4f2a", "99ee"))
    mail = tls(server_name="mail.example.test", alpn=None, alpn_offered=[])
    long = tls(server_name="a-very-long-name." * 8 + "example.test", client_certificates=[certificate()])
    life = opened("C ref 3 0.3", flow="lifecycle/https-connection", drawn_in_article="F7", standard="RFC 9110 §4.2.2")
    return [
        connection(
            tls=tls(), http=http(exchange()), lifecycle=life,
            timing=model.Timing(handshake_ns=310_000, tls_ns=2_000_000),
        ),
        connection(id=1, tls=tls(rsa, again, certificates=[expired, certificate(subject="CN=Test Authority")], **weak)),
        connection(id=2, tls=tls(rejected(), alerts=[refusal], **nothing)),
        connection(
            id=3, tls=tls(**ecdhe, alerts=[
                model.Alert("client", "warning", "close_notify", 37),
                model.Alert("server", None, None, 38, encrypted=True),
                model.Alert("client", "fatal", "bad_record_mac", 39),
            ]),
        ),
        connection(
            id=4, tls=tls(handshake("S Finished 6 1.3", divergence=astray, **unknown("diverged", None)), **nothing),
            client=("2001:db8:85a3:1234:5678:8a2e:370:7334", 50115),
        ),
        connection(
            id=5, http=http(exchange("CONNECT example.test:443", 200, 0), version="HTTP/1.0"), tls=inside,
            tunnel=model.Tunnel("CONNECT example.test:443", model.PerSide(1540, 41_700), tls=inside),
        ),
        connection(id=6, tls=mail, tunnel=model.Tunnel("STARTTLS smtp", model.PerSide(1540, 4170), tls=mail)),
        connection(id=7, tls=long),
        connection(id=8, tls=tls(handshake("", **unknown()), **nothing | {"server_name": None})),
    ]  # fmt: skip


def on_stream(page: str = "exchange", **given: Any) -> model.Verdict:
    """The verdict on a stream, F9 where it is a plain exchange."""
    plain = {"exchange": {"outcome": "documented", "drawn_in_article": "F9"}}.get(page, {"outcome": "variant"})
    fields: dict[str, Any] = {
        "flow": f"http2-stream/{page}", "drawn_in_article": None, "standard": "RFC 9113 §8.1", **plain,
    }  # fmt: skip
    return opened(given.pop("script", "C HEADERS 4 1.0, S HEADERS 6 1.3, S DATA*3 6-10 1.4"), **fields | given)


def stream(
    number: int, asked: str | None = "GET /index.html", status: int | None = 200, body: int = 5120, **given: Any
) -> model.Exchange:
    """An exchange on an HTTP/2 stream: each 0.1 ms and two packets after the one before."""
    fields: dict[str, Any] = {
        "stream": number, "verdict": on_stream(), "at": 1 + number / 20, "packet": 4 + number,
    }  # fmt: skip
    one = exchange(asked, status, body, **fields | given)
    return msgspec.structs.replace(
        one,
        request=one.request and msgspec.structs.replace(one.request, header_bytes_on_wire=61),
        response=one.response and msgspec.structs.replace(one.response, header_bytes_on_wire=44),
    )


def http2(*streams: model.Exchange, **given: Any) -> model.Http:
    fields: dict[str, Any] = {
        "version": "HTTP/2",
        "connection": opened("C Preface 4 0.5, C SETTINGS 4 0.5, S SETTINGS 5 0.7, C SETTINGS ACK 6 0.8",
                             flow="http2/over-tls", drawn_in_article="F8", standard="RFC 9113 §3.2"),
        "settings": model.Settings(
            {"ENABLE_PUSH": 0, "MAX_CONCURRENT_STREAMS": 100, "INITIAL_WINDOW_SIZE": 33_554_432},
            {"MAX_CONCURRENT_STREAMS": 128, "INITIAL_WINDOW_SIZE": 65_536, "MAX_FRAME_SIZE": 16_777_215},
        ),
        "frames": {"SETTINGS": 4, "HEADERS": 2 * len(streams), "DATA": 3 * len(streams), "WINDOW_UPDATE": 2},
    }  # fmt: skip
    return http(*streams, **fields | given)


def http2_showcase() -> list[model.Connection]:
    """Connections that speak HTTP/2: one stream, many at once, odd ones, gRPC, mid-stream, h2c, without keys."""
    life = opened("C ref 3 0.3", flow="lifecycle/http2-connection", drawn_in_article="F5", standard="RFC 9113 §3")
    secret = [(":method", "GET"), ("cookie", "(not shown)")]
    numbers = range(1, 49, 2)
    many = [
        stream(
            n, f"GET /asset-{n}.js", interleaved=True, multiplexed_with=[m for m in numbers if m != n][:15],
            multiplexed_with_not_listed=8,
        )
        for n in numbers
    ]  # fmt: skip
    cancelled = "C HEADERS 8 1.2, S HEADERS 9 1.5, C RST_STREAM 12 1.9"
    astray = model.Divergence(9, "server", "DATA", ["server HEADERS"], "http2-stream/exchange",
                              ["server HEADERS missing after packet 7"])  # fmt: skip
    reset = {"reset": model.Reset("client", "CANCEL", 12), "complete": False}
    odd = [
        stream(1, "GET /big.bin", 200, 1_000_000, verdict=on_stream("reset", script=cancelled), **reset),
        stream(3, "GET /later", None, verdict=on_stream("refused"), reset=model.Reset("server", "REFUSED_STREAM", 14)),
        stream(2, "GET /style.css", 200, pushed=True, verdict=on_stream("pushed", standard="RFC 9113 §8.4")),
        stream(5, "GET /astray", 200, 9, verdict=on_stream(divergence=astray, script="C HEADERS 7 1.0, S DATA 9 1.2",
                                                           **unknown("diverged", None))),
        stream(7, "GET /early", 200, interim=[103], verdict=on_stream("interim-response")),
        stream(9, "POST /upload", 200, 0, sent=70_000, reset=model.Reset("server", "NO_ERROR", 20)),
        stream(11, "CONNECT /chat", 200, 90, protocol="websocket", verdict=on_stream("tunnel")),
        stream(13, "GET /waiting", None, verdict=on_stream(outcome="incomplete", cause="open-at-end")),
        stream(4, "GET /unwanted.js", None, pushed=True, verdict=on_stream("reset"),
               reset=model.Reset("client", "CANCEL", 30)),
    ]  # fmt: skip
    upgraded = opened("C HEADERS 4 1.0, S HEADERS 6 1.3", flow="http2/upgraded", outcome="variant",
                      drawn_in_article=None, standard="RFC 7540 §3.2")  # fmt: skip
    stalls = [model.Stall(1, "server", 3_100_000, 12_400_000, 33), model.Stall(0, "client", 40_000_000, 950_000, 41)]
    call = "POST /example.Greeter/"
    trailers = [("grpc-status", "0"), ("grpc-message", "")]
    with_trailers = on_stream("exchange-with-trailers")
    calls = [
        stream(1, call + "SayHello", 200, 20, verdict=with_trailers, trailers=trailers,
               grpc=model.Grpc(0, model.PerSide(1, 1))),
        stream(3, call + "LotsOfReplies", 200, 0, verdict=with_trailers, grpc=model.Grpc(5, model.PerSide(1, 0))),
        stream(5, call + "Endless", 200, 200, verdict=on_stream("reset"), complete=False,
               grpc=model.Grpc(None, model.PerSide(1, 1200)), reset=model.Reset("client", "CANCEL", 40)),
        stream(7, "GET /plain", 200, verdict=with_trailers),
    ]  # fmt: skip
    unread = on_stream(**unknown())
    middle = [
        stream(901, None, 200, 70_000, verdict=unread),
        stream(
            903,
            request=model.Request(None, None, None, 29, 0, 61, 0),
            response=model.Response(None, 30, 0, 44, 7, 33, True),
            verdict=unread,
        ),
    ]
    upgrade = http(
        exchange("GET /", 101, 0),
        connection=opened(
            "", flow="http1/upgrade-h2c", outcome="variant", drawn_in_article=None, standard="RFC 9110 §7.8"
        ),
    )
    return [
        connection(http=http2(stream(1, headers=secret)), lifecycle=life, tls=tls()),
        connection(
            id=1, lifecycle=life, tls=tls(),
            http=http2(*many, max_concurrent=20, frame_switches=61, head_of_line_waits=2, stalls=stalls,
                       goaway=[model.Goaway("server", "NO_ERROR", 2**31 - 1, 90),
                               model.Goaway("server", "NO_ERROR", 47, 95)]),
        ),
        connection(id=2, http=http2(*odd, exchanges_not_listed=3, max_concurrent=4, frame_switches=3,
                                    goaway=[model.Goaway("client", "ENHANCE_YOUR_CALM", 4, 38)])),
        connection(id=3, http=http2(*calls, max_concurrent=1)),
        connection(id=4, http=http2(*middle, settings=None, connection=opened("", **unknown()), max_concurrent=2)),
        connection(
            id=5, http=upgrade,
            tunnel=model.Tunnel("Upgrade h2c", model.PerSide(200, 5200), http=http2(stream(1), connection=upgraded)),
        ),
        connection(id=6, http=http2(settings=None, frames={}, connection=opened("", **unknown(cause="no-keys")),
                                    max_concurrent=0)),
    ]  # fmt: skip
