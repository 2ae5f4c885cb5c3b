"""Reading a file with Wireshark's dissectors: a tshark process, run by pyshark, that prints a few fields per packet.

Only fields that are compared are asked for, so that what tshark prints does not grow with the payload. pyshark finds
the process's packets in its output; what a process may do wrong (die, hang, print something else) is dealt with here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from lxml import etree
from pyshark.capture.file_capture import FileCapture
from pyshark.tshark.output_parser.tshark_xml import DEL_BAD_XML_CHARS, TsharkXmlParser

from analyzer.errors import InputError

Fields = dict[str, list[str]]  # of one packet: a field's name, and its values in order

FIELDS: Final = (
    "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.id", "ip.fragment.count", "ipv6.fragment.count",
    "tcp.stream", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq_raw", "tcp.ack_raw",
    "tcp.analysis.lost_segment",
    "tls.handshake.type", "tls.handshake.version", "tls.handshake.random",
    "tls.handshake.extensions.supported_version", "tls.handshake.ciphersuite",
    "tls.handshake.extensions_server_name", "tls.handshake.extensions_alpn_str", "tls.alert_message.desc",
    "http.request.method", "http.request.uri", "http.response.code",
    "http2.type", "http2.flags", "http2.streamid", "http2.header.count", "http2.header.repr", "http2.header.name",
    "http2.header.value", "http2.push_promise.promised_stream_id", "http2.rst_stream.error", "http2.goaway.error",
    "websocket.opcode",
)  # fmt: skip
PREFERENCES: Final = {
    "tcp.desegment_tcp_streams": "TRUE",
    "tcp.reassemble_out_of_order": "TRUE",
    "tls.desegment_ssl_records": "TRUE",
    "tls.desegment_ssl_application_data": "TRUE",
    "http.desegment_headers": "TRUE",
    "http.desegment_body": "TRUE",  # or what follows a body in its last segment is not seen
}
HEURISTICS: Final = ("http_tcp", "tls_tcp")

SILENCE_S: Final = 60.0  # without a byte of output
MOST_PACKET: Final = 16 << 20  # bytes of output that describe one packet
MOST_SAID: Final = 4096  # bytes of its messages that are kept

_OPEN, _CLOSE, _END = b"<packet>", b"</packet>", b"</pdml>"
_VERSION: Final = re.compile(rb'<pdml[^>]* creator="wireshark/(\d+)\.(\d+)')
_INSTALL: Final = (
    "tshark is not installed: `apt install tshark` (Debian, Ubuntu), `dnf install wireshark-cli` (Fedora) or "
    "`brew install wireshark` (macOS)"
)


def tshark_path() -> str:
    """Where tshark is. Raises InputError, with how to install it, where it is not on the path."""
    path = shutil.which("tshark")
    if path is None:
        raise InputError(_INSTALL)
    return path


@contextlib.contextmanager
def packets(
    path: str, *, keys: Sequence[str] = (), decode_as: Sequence[str] = (), silence_s: float = SILENCE_S
) -> Iterator[Reading]:
    """The TCP segments of a capture file, as tshark dissects them, one at a time.

    `keys` are key logs and RSA keys in PEM, `decode_as` is what `tshark -d` takes. While the packets are iterated
    over, an InputError says that tshark failed.
    """
    program = tshark_path()
    with tempfile.TemporaryDirectory(prefix="analyzer-crosscheck-") as folder:
        preferences = {**PREFERENCES, **_preferences_for(keys, Path(folder))}
        parameters = ["-Y", "tcp && !icmp && !icmpv6"]
        for heuristic in HEURISTICS:
            parameters += ["--enable-heuristic", heuristic]
        for field in FIELDS:
            parameters += ["-e", field]
        for rule in decode_as:
            parameters += ["-d", rule]
        # An event loop is given because the one that pyshark makes needs what Python 3.14 removed.
        loop = asyncio.new_event_loop()
        reading = Reading(program, os.path.abspath(path), preferences, parameters, loop, silence_s)
        try:
            yield reading
        finally:
            reading.end()
            loop.close()


def _preferences_for(keys: Sequence[str], folder: Path) -> dict[str, str]:
    """tshark reads one key log, so several are joined; RSA keys get names without quotation marks."""
    preferences = {}
    log = folder / "keys.log"
    for number, path in enumerate(keys):
        try:
            with open(path, "rb") as source:
                head = source.read(1 << 18)
                if b"-----BEGIN " in head:
                    copy = folder / f"{number}.pem"
                    copy.write_bytes(head + source.read(1 << 20))
                    preferences["uat:rsa_keys"] = f'"{copy}",""'
                    continue
                source.seek(0)
                with log.open("ab") as joined:
                    shutil.copyfileobj(source, joined)
                    joined.write(b"\n")
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}; check the name given to --keys") from error
        preferences["tls.keylog_file"] = str(log)
    return preferences


class Reading:
    """Iterates over the packets. `warning`: why tshark stopped before the end of the file, if it did. `version`: of
    Wireshark, major and minor, from the first packet on."""

    def __init__(
        self,
        program: str,
        path: str,
        preferences: dict[str, str],
        parameters: list[str],
        loop: asyncio.AbstractEventLoop,
        silence_s: float,
    ):
        self._capture = _Capture(program, path, preferences, parameters, loop, silence_s)
        self.warning: str | None = None

    def __iter__(self) -> Iterator[Fields]:
        try:
            yield from self._capture
        except OSError as error:
            raise InputError(f"tshark cannot be run: {error.strerror or error}. Install it again.") from error
        except etree.XMLSyntaxError:
            raise InputError(f"tshark printed something else than packets{self._said()}") from None
        self.warning = self._capture.stopped

    @property
    def version(self) -> tuple[int, int] | None:
        return self._capture.version

    def end(self) -> None:
        """Ends the process if it still runs."""
        self._capture.end()

    def _said(self) -> str:
        return self._capture.said()


class _Capture(FileCapture):  # type: ignore[misc]
    """What pyshark does, with these differences: the tshark of the path and no other; the process is waited for, so
    that a crash is noticed; and its messages are kept within bounds."""

    def __init__(
        self,
        program: str,
        path: str,
        preferences: dict[str, str],
        parameters: list[str],
        loop: asyncio.AbstractEventLoop,
        silence_s: float,
    ):
        self._program, self.silence_s = program, silence_s
        self._process: asyncio.subprocess.Process | None = None
        self._messages = b""
        self.stopped: str | None = None
        self.version: tuple[int, int] | None = None
        super().__init__(
            path, keep_packets=False, eventloop=loop, custom_parameters=parameters, override_prefs=preferences
        )

    def _get_tshark_path(self) -> str:
        return self._program

    def _created_new_process(self, parameters: Any, process: Any, process_name: str = "TShark") -> None:
        self._process = process
        self._running_processes.add(process)

    def _setup_tshark_output_parser(self) -> _Parser:
        return _Parser(self)

    async def _cleanup_subprocess(self, process: Any) -> None:
        """`end` does it, and `over` has judged how the process ended."""

    async def _handle_process_stderr_forever(self, stderr: asyncio.StreamReader) -> None:
        while piece := await stderr.read(MOST_SAID):
            self._messages = (self._messages + piece)[-MOST_SAID:]

    def said(self) -> str:
        """tshark's last message, in parentheses, or nothing."""
        lines = [line.strip() for line in self._messages.decode(errors="replace").splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith("Running as user")]
        return f" ({lines[-1].removeprefix('tshark: ')})" if lines else ""

    async def over(self, *, complete: bool) -> None:
        """Its output has ended: was it all? Raises InputError if not."""
        assert self._process is not None
        try:
            code = await asyncio.wait_for(self._process.wait(), self.silence_s)
            await asyncio.wait(self._stderr_handling_tasks, timeout=1)  # its last words
        except TimeoutError:
            raise self.silent() from None
        if code < 0:
            raise InputError(f"tshark crashed: it was ended by signal {-code}{self.said()}. Try another version.")
        if code and complete:  # it read as far as it could
            self.stopped = self.said().strip(" ()")
        elif code:
            raise InputError(f"tshark failed with exit code {code}{self.said()}")
        elif not complete:
            raise InputError(f"tshark printed something else than packets{self.said()}. Is it the real one?")

    def silent(self) -> InputError:
        return InputError(
            f"tshark printed nothing for {self.silence_s:g} s and was ended{self.said()}. Give it longer: --timeout"
        )

    def end(self) -> None:
        """Ends the process, whatever it does, and lets go of its pipes: processes it started may still hold them."""
        self._running_processes.clear()
        if self._process is not None:
            self.eventloop.run_until_complete(self._end(self._process))

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for task in self._stderr_handling_tasks:
            task.cancel()
        await asyncio.gather(*self._stderr_handling_tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 1)
        process._transport.close()  # type: ignore[attr-defined]  # there is no public way


class _Parser(TsharkXmlParser):  # type: ignore[misc]
    """Takes packets out of PDML, whose fields stand side by side because they were asked for by name (`-e`)."""

    def __init__(self, capture: _Capture):
        super().__init__()
        self._capture = capture
        self._complete = False
        self._searched = 0  # bytes of what is held that have no end of a packet

    async def get_packets_from_stream(
        self, stream: asyncio.StreamReader, existing_data: bytes, got_first_packet: bool = True
    ) -> tuple[Fields | None, bytes]:
        """As in the base class, which knows neither a time limit nor a size limit."""
        end = existing_data.find(_CLOSE, self._searched)
        if end >= 0:
            self._searched = 0
            begin, end = existing_data.find(_OPEN), end + len(_CLOSE)
            if not got_first_packet and (match := _VERSION.search(existing_data[:begin])):
                self._capture.version = int(match[1]), int(match[2])
            if begin < 0 or begin > end:
                begin = 0  # not XML, as will be found out
            return self._parse_single_packet(existing_data[begin:end]), existing_data[end:]
        self._searched = max(0, len(existing_data) - len(_CLOSE))
        self._complete |= _END in existing_data
        if len(existing_data) > MOST_PACKET:
            raise InputError(f"tshark printed something else than packets{self._capture.said()}. Is it the real one?")
        try:
            more = await asyncio.wait_for(stream.read(self.DEFAULT_BATCH_SIZE), self._capture.silence_s)
        except TimeoutError:
            raise self._capture.silent() from None
        if not more:
            await self._capture.over(complete=self._complete)
            raise EOFError
        return None, existing_data + more

    def _parse_single_packet(self, packet: bytes) -> Fields:
        text = packet.decode(errors="replace").translate(DEL_BAD_XML_CHARS)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, remove_comments=True)
        found: Fields = {}
        for element in etree.fromstring(text.encode(), parser):
            if element.tag == "field":
                found.setdefault(element.get("name", ""), []).append(element.get("value") or "")
            elif element.get("name") == "geninfo":
                found["frame.number"] = [field.get("show", "") for field in element if field.get("name") == "num"]
        return found
