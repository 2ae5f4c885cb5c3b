"""`-v`: each connection with the evidence for its verdicts, packet by packet, as a small ladder.

#0  10.0.0.1:50112 → 10.0.0.2:80   42 packets (1–42), 81.2 ms
  open   ✓ tcp-open/three-way-handshake   documented (F1, RFC 9293 §3.5)   handshake 0.31 ms
                       client            server  as documented
         1  +0.000 ms  │────── SYN ─────▶│  ✓ SYN [payload=0]
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator

from analyzer import model
from analyzer.flows import Library, load_library
from analyzer.reporter import words, words_of_http2, words_of_tls
from analyzer.reporter.alignment import Aligner
from analyzer.reporter.escape import escape
from analyzer.reporter.outputs.ladder import ladder

_LABEL = 11  # columns before the text of a labelled line: "  options  "
_INDENT = "    "
_DEEPER = "  "  # of a stream's verdict, so that it stands in line with what else is said of the exchange
_EXCHANGES = 1000  # listed of a connection
_HANDSHAKES = 100  # with their ladders
_STREAMS = 100  # with their ladders, of those of which there is more to say than that they are exchanges
_NAMES = 20  # of a certificate
_ALERTS = 100

_ORIENTED = {
    "syn": "the client sent the SYN",
    "content": "no SYN captured: client and server by what they say",
    "port": "no SYN captured: the server has the lower or registered port",
    "first-packet": "no SYN captured: the client sent the first packet",
}


class Evidence:
    """Writes the evidence of every connection to `write`, at most `width` columns wide where text can be wrapped.
    `library`: the pages that the verdicts name; the built-in ones if none is given."""

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        width: int = 80,
        colour: bool = False,
        several: bool = False,
        library: Library | None = None,
        aligner: Aligner | None = None,
    ):
        self._write, self._width, self._colour, self._several = write, width, colour, several
        self._aligner = aligner or Aligner(library or load_library())
        self._begun = False

    def add(self, connection: model.Connection) -> None:
        self._add(self._lines(connection))

    def add_verdict(self, scope: str, verdict: model.Verdict, connection: model.Connection | None) -> None:
        """A single verdict, below the heading of its connection if that is known."""
        self._add([*(self._heading(connection) if connection else ()), *self._verdict(scope, verdict, connection)])

    def add_exchange(self, exchange: model.Exchange, connection: model.Connection | None) -> None:
        """A single exchange, likewise."""
        judged = () if exchange.verdict is None else self._verdict("", exchange.verdict, connection)
        self._add([*(self._heading(connection) if connection else ()), *self._exchange(exchange, connection, judged)])

    def _add(self, lines: Iterable[str]) -> None:
        text = "\n".join(line.rstrip() for line in lines) + "\n"
        self._write("\n" + text if self._begun else text)
        self._begun = True

    def flush(self) -> None:
        """Nothing is held back."""

    def finish(self) -> None:
        """Nothing is held back."""

    def _lines(self, c: model.Connection) -> Iterator[str]:
        yield from self._heading(c)
        if c.encapsulation:
            yield from self._labelled("inside", [", ".join(map(words.encapsulation, c.encapsulation))])
        yield from self._verdict("open", c.open, c)
        yield from self._verdict("close", c.close, c)
        if c.proxy_protocol is not None:
            client = c.proxied_for
            named = "no address" if client is None else f"{escape(client.address)} port {client.port}"
            yield from self._labelled("proxied", [f"PROXY protocol v{c.proxy_protocol}, {named}"])
        # The outermost TLS or HTTP may be the tunnel's: it stands there.
        if c.tls and not (c.tunnel and c.tunnel.tls == c.tls):
            yield from self._tls("tls", c.tls, c)
        if c.http and not (c.tunnel and c.tunnel.http == c.http):
            yield from self._http("http", c.http, c)
        if c.tunnel:
            yield from self._tunnel(c.tunnel, c)
        if c.lifecycle:
            yield from self._verdict("lifecycle", c.lifecycle, c, ladder=False)  # its parts stand above
        options = [f"{side}: {said}" for side in ("client", "server") if (said := _options(getattr(c.tcp, side)))]
        yield from self._labelled("options", options)
        counts = [words.note_words(name, n) for name in words.NOTE_WORDS if (n := getattr(c.notes, name))]
        yield from self._labelled("notes", [", ".join(counts)] if counts else [])
        if c.icmp_error:
            yield from self._labelled("icmp", [_icmp(c.icmp_error)], "yellow")
        faults = [f"packet {f.packet}, {escape(f.layer)}: {escape(f.message)}" for f in c.faults]
        yield from self._labelled("faults", faults, "yellow")

    def _heading(self, c: model.Connection) -> Iterator[str]:
        capture = f"{escape(c.capture)} " if self._several else ""
        ends = f"{capture}#{c.id}  {words.endpoint(c.client)} → {words.endpoint(c.server)}"
        packets = c.packets.client + c.packets.server
        numbers = f"{c.first_packet}–{c.last_packet}" if packets > 1 else str(c.first_packet)
        said = f"{words.plural(packets, 'packet')} ({numbers}), {words.duration(c.duration_ns)}"
        if c.payload_bytes.client or c.payload_bytes.server:
            said += f", {words.size(c.payload_bytes.client)} sent, {words.size(c.payload_bytes.server)} received"
        yield from self._flowing("", [(ends, "bold"), (said, None)], _INDENT)
        start = c.start.replace("T", " ").removesuffix("Z")
        facts = [f"{start} UTC", _ORIENTED[c.oriented_by]]
        if c.tcp_stream is not None:
            facts.append(f"tcp.stream {c.tcp_stream}")
        if c.vlan:
            facts.append(f"VLAN {' in '.join(map(str, reversed(c.vlan)))}")
        said = "; ".join(facts)
        for line in textwrap.wrap(said, max(20, self._width), initial_indent=_INDENT, subsequent_indent=_INDENT):
            yield self._styled(line, "bright_black")

    def _verdict(
        self,
        scope: str,
        verdict: model.Verdict,
        c: model.Connection | None,
        said: str | None = None,
        ladder: bool = True,
    ) -> Iterator[str]:
        """`said`: what else there is to say of it. `ladder`: also its steps."""
        outcome = words.outcome(verdict)
        parts: list[tuple[str, str | None]] = [
            (f"{words.MARKS[outcome]} {_name(verdict)}", words.COLOURS[outcome]),
            (_explained(verdict), None),
        ]
        if c and scope == "open" and c.timing.handshake_ns is not None:
            parts.append((f"handshake {words.duration(c.timing.handshake_ns)}", None))
        if isinstance(verdict, model.CloseVerdict) and verdict.closed_by:
            parts.append((f"closed by the {verdict.closed_by}", None))
        if said:
            parts.append((said, None))
        yield from self._flowing(_lead(scope), parts, " " * (_LABEL + 2))
        if verdict.differs:
            yield from self._labelled("", [escape(f"differs: {'; '.join(verdict.differs)}")], "cyan")
        if taken := [branch for branch in verdict.branches if branch.removeprefix("variant: ") not in verdict.differs]:
            yield from self._labelled("", [escape(f"with: {'; '.join(taken)}")])
        if ladder:
            yield from self._ladder(verdict)
        if verdict.retransmitted:
            yield from self._labelled("", [f"{words.plural(verdict.retransmitted, 'step')} retransmitted"])
        if verdict.divergence and scope != "lifecycle":  # it has that of its part
            yield from self._divergence(verdict.divergence)

    def _tls(self, label: str, tls: model.Tls, c: model.Connection | None) -> Iterator[str]:
        took = None
        if c is not None and c.timing.tls_ns is not None and tls == words.secured(c)[0]:
            took = f"handshake {words.duration(c.timing.tls_ns)}"
        indent = " " * (_LABEL + 2)
        if tls.handshakes:
            first = tls.handshakes[0]
            yield from self._verdict(label, first, c, words_of_tls.rejection(tls, first) or took)
        else:
            yield from self._labelled(label, ["no handshake was captured"])
        yield from self._flowing(indent, words_of_tls.negotiated(tls), indent)
        yield from self._flowing(indent, words_of_tls.session(tls), indent)
        for name, value in (("JA3", tls.ja3), ("JA3S", tls.ja3s), ("JA4", tls.ja4)):
            if value:
                yield f"{indent}{self._styled(f'{name:<4} {escape(value)}', 'bright_black')}"
        for said in words_of_tls.traffic(tls):
            yield from self._wrapped(said, indent, indent + "  ")
        for handshake in tls.handshakes[1:_HANDSHAKES]:
            yield from self._verdict("again", handshake, c, words_of_tls.rejection(tls, handshake))
        if (more := len(tls.handshakes) - _HANDSHAKES) > 0:
            yield from self._labelled("", [f"… and {words.plural(more, 'more handshake')}"], "bright_black")
        yield from self._certificates(tls)
        shown = [one for one in tls.alerts if tls.close_notify is None or one.description != "close_notify"]
        alerts = [f"packet {one.packet}: {words_of_tls.alert_words(one, level=True)}" for one in shown[:_ALERTS]]
        if len(shown) > _ALERTS:
            alerts.append(f"… and {words.count(len(shown) - _ALERTS)} more")
        fatal = any(one.level == "fatal" for one in shown)
        yield from self._labelled("alerts", alerts, "yellow" if fatal else None)

    def _certificates(self, tls: model.Tls) -> Iterator[str]:
        label = "certs"
        indent = " " * (_LABEL + 2)
        for side, name, one in words_of_tls.certificates(tls):
            whose = name if side == "client" else f"server {name}"
            yield from self._labelled(label, [f"{whose}: {escape(one.subject or 'no subject')}"])
            label = ""
            yield from self._flowing(indent, words_of_tls.validity(one), indent)
            facts = [f"issued by {escape(one.issuer)}"] if one.issuer else []
            if one.names:
                more = [f"and {words.count(len(one.names) - _NAMES)} more"] if len(one.names) > _NAMES else []
                facts.append(f"names {', '.join([*map(escape, one.names[:_NAMES]), *more])}")
            serial = one.serial and f"serial {one.serial}"
            facts.append(", ".join(escape(said) for said in (one.key, one.signature, serial) if said))
            facts.append(f"SHA-256 {escape(one.sha256)}")
            for fact in filter(None, facts):
                yield from self._wrapped(fact, indent, indent + "  ", "bright_black")
            for problem in one.problems:
                yield from self._wrapped(escape(problem), f"{indent}! ", indent + "  ", "yellow")

    def _http(self, label: str, http: model.Http, c: model.Connection | None) -> Iterator[str]:
        listed = http.exchanges[:_EXCHANGES]
        if http.version == words_of_http2.VERSION:
            yield from self._http2(label, http, c)
            ladders = _STREAMS
            narrower = self._width - len(_DEEPER)
            indented = Evidence(self._write, width=narrower, colour=self._colour, aligner=self._aligner)
            for one in listed:
                verdict = None if one.verdict is None or words_of_http2.is_plain(one.verdict) else one.verdict
                ladders -= verdict is not None
                ladder = ladders >= 0 or (verdict is not None and verdict.outcome == "diverged")
                judged = () if verdict is None else indented._verdict("", verdict, c, ladder=ladder)
                yield from self._exchange(one, c, judged)
        else:
            # What was said stands below, exchange by exchange; the steps tell more only where something is wrong.
            yield from self._verdict(label, http.connection, c, _extent(http), ladder=bool(http.connection.divergence))
            for one in listed:
                yield from self._exchange(one, c)
        if more := words.exchange_count(http) - len(listed):
            yield from self._labelled("", [f"… and {words.count(more)} more"], "bright_black")
        if http.websocket:
            yield from self._labelled("websocket", [_frames(http.websocket)])

    def _http2(self, label: str, http: model.Http, c: model.Connection | None) -> Iterator[str]:
        extent = words_of_http2.extent(http)
        yield from self._verdict(label, http.connection, c, f"HTTP/2, {extent}" if extent else "HTTP/2")
        yield from self._labelled("settings", words_of_http2.settings(http))
        yield from self._labelled("frames", words_of_http2.frames(http))
        headers = words_of_http2.compressed(*words_of_http2.header_bytes(http))
        yield from self._labelled("headers", [headers] if headers else [])
        errors = bool(words_of_http2.problems(http))
        yield from self._labelled("goaway", words_of_http2.goaways(http), "yellow" if errors else None)
        yield from self._labelled("altsvc", words_of_http2.alternatives(http))
        yield from self._labelled("origins", words_of_http2.origins(http))
        yield from self._labelled("stalls", words_of_http2.stalls(http))
        yield from self._labelled("waits", words_of_http2.waits(http))

    def _tunnel(self, tunnel: model.Tunnel, c: model.Connection | None) -> Iterator[str]:
        said = f"{words.size(tunnel.bytes.client)} sent, {words.size(tunnel.bytes.server)} received"
        unknown = "" if tunnel.http or tunnel.tls else "; what ran inside was not recognised"
        yield from self._labelled("tunnel", [f"after {escape(tunnel.after)}: {said}{unknown}"])
        if tunnel.tls:
            yield from self._tls("inside", tunnel.tls, c)
        if tunnel.http:
            yield from self._http("inside", tunnel.http, c)

    def _exchange(self, one: model.Exchange, c: model.Connection | None, judged: Iterable[str] = ()) -> Iterator[str]:
        """`judged`: what the verdict on its stream says."""
        request, response = one.request, one.response
        began = request or response
        number = str(began.packet) if began else ""
        at_ns = one.started_ns if one.started_ns is not None else one.first_byte_ns
        lead = f"{number:>{_LABEL}}  " + (f"{at_ns / 1e6:+,.3f} ms  " if at_ns is not None else "")
        lead += f"stream {one.stream}  " if one.stream is not None else ""
        yield lead + words.exchange(one, max(20, self._width - len(lead)))
        for line in judged:
            yield _DEEPER + line
        facts = [f"request: {_message(request)}"] if request else []
        if response:
            until = f"–{response.last_packet}" if response.last_packet != response.packet else ""
            facts.append(f"response: {_message(response, until)}")
        if one.started_ns is not None:
            ends = (("first byte after", one.first_byte_ns), ("last after", one.finished_ns))
            facts.append(
                ", ".join(f"{name} {words.duration(ns - one.started_ns)}" for name, ns in ends if ns is not None)
            )
        indent = " " * (_LABEL + 2)
        facts += words_of_http2.facts(one)
        yield from self._flowing(indent, [(fact, "bright_black") for fact in facts], indent)
        if one.websocket:
            yield from self._wrapped(f"WebSocket: {_frames(one.websocket)}", indent, indent, "bright_black")
        if one.tunnel:
            deeper = Evidence(self._write, width=self._width - len(_DEEPER), colour=self._colour)
            for line in deeper._tunnel(one.tunnel, c):
                yield _DEEPER + line
        for message, arrow in ((request, ">"), (response, "<")):
            for name, value in (message and message.headers) or ():
                yield from self._field(name, value, arrow)
        for name, value in one.trailers or ():
            yield from self._field(name, value, "trailer")

    def _field(self, name: str, value: str, lead: str) -> Iterator[str]:
        text = f"{escape(name)}: {escape(value)}"
        yield from self._wrapped(text, f"{' ' * (_LABEL + 2)}{lead} ", " " * (_LABEL + 6))

    def _wrapped(self, text: str, lead: str, indent: str, colour: str | None = None) -> Iterator[str]:
        for line in textwrap.wrap(text, max(20, self._width - len(indent)), break_on_hyphens=False):
            yield lead + self._styled(line, colour)
            lead = indent

    def _flowing(self, lead: str, parts: list[tuple[str, str | None]], indent: str) -> Iterator[str]:
        """Parts of (text, style) side by side; what does not fit goes to a line of its own."""
        line, used = lead, words.cells(lead)
        gap = ""
        for text, style in parts:
            pieces = self._fitting(text, indent)
            for piece in pieces:
                if gap and used + len(gap) + words.cells(piece) > self._width:
                    yield line
                    line, used, gap = indent, len(indent), ""
                styled = self._styled(piece, None, bold=True) if style == "bold" else self._styled(piece, style)
                line += gap + styled
                used += len(gap) + words.cells(piece)
                gap = "   " if len(pieces) == 1 else " " * self._width  # nothing stands beside what was wrapped
        yield line

    def _fitting(self, text: str, indent: str) -> list[str]:
        """The text in pieces that fit on a line."""
        room = max(20, self._width - len(indent))
        return [text] if 0 < words.cells(text) <= room else textwrap.wrap(text, room, break_on_hyphens=False)

    def _ladder(self, verdict: model.Verdict) -> Iterator[str]:
        if verdict.steps:
            rungs = self._aligner.align(verdict)
            yield from ladder(verdict, rungs, width=self._width, numbers=_LABEL, styled=self._styled)

    def _divergence(self, divergence: model.Divergence) -> Iterator[str]:
        said = [f"packet {divergence.packet}: {divergence.side} {escape(divergence.saw)}, which no flow allows here"]
        if divergence.expected:
            said.append(f"expected: {escape(' or '.join(divergence.expected))}")
        if divergence.nearest:
            edits = f": {escape(', '.join(divergence.edits))}" if divergence.edits else ""
            said.append(f"nearest: {escape(divergence.nearest)}{edits}")
        yield from self._labelled("", said, "red")

    def _labelled(self, label: str, texts: list[str], colour: str | None = None) -> Iterator[str]:
        """Each text wrapped beside the label, which stands before the first."""
        lead = _lead(label)
        for text in texts:
            for line in textwrap.wrap(text, max(20, self._width - _LABEL), break_on_hyphens=False):
                yield lead + self._styled(line, colour)
                lead = " " * _LABEL

    def _styled(self, text: str, colour: str | None, bold: bool = False) -> str:
        if not self._colour or not (colour or bold):
            return text
        import click

        return click.style(text, fg=colour, bold=bold)


def _lead(label: str) -> str:
    return f"  {label:<{_LABEL - 3}} "


def _extent(http: model.Http) -> str:
    """`HTTP/1.1, 12 exchanges, up to 3 at once`."""
    said = [escape(http.version)] if http.version else []
    said.append(words.plural(words.exchange_count(http), "exchange"))
    if http.max_concurrent > 1:
        said.append(f"up to {http.max_concurrent} at once")
    return ", ".join(said)


def _message(message: model.Request | model.Response, until: str = "") -> str:
    """`packets 4–9, 412 B header, 5.10 kB body`."""
    packets = f"packets {message.packet}{until}" if until else f"packet {message.packet}"
    header = f"{words.size(message.header_bytes)} header"
    if message.header_bytes_on_wire != message.header_bytes:
        header += f" ({words.size(message.header_bytes_on_wire)} on the wire)"
    body = f", {words.size(message.body_bytes)} body" if message.body_bytes else ""
    lost = f", {words.size(message.body_bytes_lost)} of it not in the capture" if message.body_bytes_lost else ""
    return f"{packets}, {header}{body}{lost}"


def _frames(websocket: model.WebSocket) -> str:
    """`client: 3 text, 1 close; server: 3 text; closed with 1000`."""
    said = []
    for side in ("client", "server"):
        counts: dict[str, int] = getattr(websocket.frames, side)
        listed = ", ".join(f"{words.count(number)} {escape(opcode)}" for opcode, number in counts.items())
        said.append(f"{side}: {listed or 'no frames'}")
    said.append("no close code" if websocket.close_code is None else f"close code {websocket.close_code}")
    return "; ".join(said)


def _name(verdict: model.Verdict) -> str:
    if verdict.flow:
        return escape(verdict.flow)
    if words.outcome(verdict) == words.NEVER_OPENED:
        return words.NEVER_OPENED
    return f"{verdict.outcome}: {verdict.cause}" if verdict.cause else str(verdict.outcome)


def _explained(verdict: model.Verdict) -> str:
    """`documented (F1, RFC 9293 §3.5)`, `incomplete: open-at-end (…)`: what the name of a flow leaves open."""
    if not verdict.flow:
        return ""
    cause = f": {verdict.cause}" if verdict.cause else ""
    sources = ", ".join(escape(source) for source in (verdict.drawn_in_article, verdict.standard) if source)
    return verdict.outcome + cause + (f" ({sources})" if sources else "")


def _icmp(error: model.IcmpError) -> str:
    meaning = error.meaning or f"type {error.type}, code {error.code}"
    return f"packet {error.packet}: {meaning}" + (f", MTU {error.mtu}" if error.mtu else "")


def _options(said: model.TcpOptions) -> str:
    parts = []
    if said.mss is not None:
        parts.append(f"MSS {said.mss}")
    if said.window_scale is not None:
        parts.append(f"window scale {said.window_scale}")
    names = {"sack_permitted": "SACK", "timestamps": "timestamps", "fast_open": "Fast Open", "mptcp": "MPTCP"}
    parts.extend(name for field, name in names.items() if getattr(said, field))
    if said.ecn:
        parts.append("ECN")
    if said.initial_sequence_number is not None:
        parts.append(f"ISN {said.initial_sequence_number}")
    return ", ".join(parts)
