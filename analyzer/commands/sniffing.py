"""A run of `analyzer live`: the settings, who may end it, and what is printed meanwhile and at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from analyzer.commands.inputs import key_files
from analyzer.commands.terminal import Output, open_output, say
from analyzer.commands.values import FileRing
from analyzer.errors import UsageError
from analyzer.reporter.escape import escape

if TYPE_CHECKING:
    from analyzer import live_pipeline, model, pipeline
    from analyzer.capture.live.base import Wanted
    from analyzer.capture.live.privileges import User
    from analyzer.reporter.filters import Predicate
    from analyzer.reporter.outputs.live import EventLines, LiveTable

_DRAW_SECONDS = 0.25
_WRITE_FAILED = 1
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The command line, as click checked it. Durations are nanoseconds."""

    pipe: str | None
    interfaces: tuple[str, ...]
    capture_filter: str | None
    snaplen: int
    no_promiscuous: bool
    packets: int | None
    duration: int | None
    write: str | None
    ring: FileRing | None
    source: str
    buffer: int | None
    form: str
    plain: bool
    no_events: bool
    quiet: bool
    filters: tuple[Predicate, ...]
    keys: tuple[str, ...]
    authorities: str | None
    tcp_only: bool
    headers: bool
    show_secrets: bool
    vlan_key: bool
    flows: tuple[str, ...]
    max_connections: int | None
    idle_timeout: int | None
    opening_timeout: int | None
    linger: int | None
    color: str
    width: int | None

    def __post_init__(self) -> None:
        if self.pipe is None and not self.interfaces:
            raise UsageError("name an interface with -i (`analyzer interfaces` lists them), or pipe a capture into `-`")
        if self.pipe is not None and self.pipe != "-":
            raise UsageError(f"{self.pipe}: interfaces are named with -i, files are for `analyzer read`; `-` is a pipe")
        if self.pipe is not None and (self.interfaces or self.source != "scapy"):
            raise UsageError("`-` reads what somebody else captures: leave out -i and --source, or `-`")
        if self.pipe is not None and sys.stdin.isatty():
            raise UsageError("standard input is a terminal: pipe a capture into it: tcpdump -U -w - | analyzer live -")
        if "any" in self.interfaces and len(set(self.interfaces)) > 1:
            raise UsageError("-i any is all interfaces: leave out the others, or any")
        if self.ring and not self.write:
            raise UsageError("--ring is for -w: name the files to write")
        if self.write == "-":
            raise UsageError("-w needs a file: standard output is for what is found")
        if self.headers and self.form != "jsonl":
            raise UsageError("--headers is for --format jsonl: there is no room for header fields elsewhere")
        if self.show_secrets and not self.headers:
            raise UsageError("--show-secrets is for --headers: no header fields are shown without it")
        if self.tcp_only and (self.headers or self.keys or self.authorities):
            raise UsageError("--tcp-only does not look into connections: leave out --headers, --keys and --ca, or it")
        if self.tcp_only and any(wanted.needs_content for wanted in self.filters):
            raise UsageError("--tcp-only does not look into connections: leave it out to filter by what is there")
        for one, of in ((self.idle_timeout, "--idle-timeout"), (self.opening_timeout, "--opening-timeout")):
            if one == 0:
                raise UsageError(f"{of} 0 would give up every connection at once: leave it out for no time-out")

    def wanted(self) -> Wanted:
        from analyzer.capture.live.base import Wanted

        more: dict[str, Any] = {} if self.buffer is None else {"buffer_bytes": self.buffer}
        return Wanted(
            interfaces=self.interfaces,
            packet_filter=self.capture_filter,
            snaplen=self.snaplen,
            promiscuous=not self.no_promiscuous,
            packets=self.packets,
            seconds=None if self.duration is None else self.duration / 1e9,
            **more,
        )

    def options(self) -> pipeline.Options:
        from analyzer import pipeline

        optional: dict[str, Any] = {}
        if self.linger is not None:
            optional["linger_ns"] = self.linger
        if self.max_connections is not None:
            optional["max_connections"] = self.max_connections
        return pipeline.Options(
            # The kernel, or the child, filters what it captures itself.
            packet_filter=self.capture_filter if self.pipe else None,
            vlan_key=self.vlan_key,
            flows=self.flows,
            tcp_only=self.tcp_only,
            keys=() if self.tcp_only else key_files(self.keys),
            authorities=self.authorities,
            headers=self.headers,
            secrets=self.show_secrets,
            idle_ns=self.idle_timeout,
            opening_ns=self.opening_timeout,
            **optional,
        )


class Sniffing:
    """One run of the command."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._user: User | None = None  # whose rights are left
        self._warned = 0
        self._drawn = 0.0
        self._checked = 0.0

    def run(self) -> int:
        """Captures until something ends it; the exit code."""
        from analyzer import live_pipeline
        from analyzer.capture.live.privileges import calling_user
        from analyzer.capture.live.recorder import Recorder, Ring

        settings = self.settings
        options = settings.options()
        folder = os.path.dirname(os.path.abspath(settings.write or "-"))
        # A tshark that root started could not be ended by anybody else.
        user = self._user = None if settings.source == "tshark" else calling_user(folder)
        capture = live_pipeline.open_live(settings.wanted(), settings.pipe or settings.source, user)
        try:
            analysis = live_pipeline.LiveAnalysis(capture, options)
            if user is not None:
                self._give_up_root(user, analysis, options)
            if settings.write:
                ring = Ring(settings.ring.files, settings.ring.size) if settings.ring else None
                capture.recorder = Recorder(settings.write, ring)
        except BaseException:
            capture.close()
            raise
        with analysis, open_output(None) as output, _ended_by_signals(analysis):
            output.flush_always = True
            if not settings.quiet and not self._watched(output):
                who = "" if self._user is None else f", as {self._user.name}"
                what = f"reading {capture.name}" if settings.pipe else f"capturing on {capture.name}"
                say(f"{what}{who}; Ctrl-C ends")
            if settings.form == "jsonl":
                self._json_lines(analysis, output)
            else:
                self._for_people(analysis, output)
        self._warn(analysis)
        return _WRITE_FAILED if capture.ended == "failed" else 0

    def _give_up_root(self, user: User, analysis: live_pipeline.LiveAnalysis, options: pipeline.Options) -> None:
        """All that only root can read has been read by now."""
        from analyzer.capture.live.privileges import become
        from analyzer.commands.preloading import load_all

        load_all()
        analysis.load_all()
        become(user)
        for path in options.keys:
            if os.path.exists(path) and not os.access(path, os.R_OK):
                say(f"warning: {path}: what is added to it cannot be read as {user.name}: `chmod` it")

    def _watched(self, output: Output) -> bool:
        """Whether the table is wanted, and possible."""
        settings = self.settings
        plain = settings.plain or settings.quiet or settings.form != "table" or os.environ.get("TERM") == "dumb"
        return output.terminal and not plain

    @property
    def _tells_events(self) -> bool:
        return not self.settings.no_events and not self.settings.filters

    def _json_lines(self, analysis: live_pipeline.LiveAnalysis, output: Output) -> None:
        import msgspec

        from analyzer.reporter.templates import encode_line

        encoder = msgspec.json.Encoder()
        filters = self.settings.filters
        for one in analysis.rounds(lines=not filters):
            self._warn(analysis)
            said = b"".join(encoder.encode(event) + b"\n" for event in one.events) if self._tells_events else b""
            said += one.lines + b"".join(encode_line(encoder, c) for c in one.connections if self._passes(c))
            if said:
                output.bytes(said)
            else:
                self._check_reader()
        output.bytes(encoder.encode(analysis.summary()) + b"\n")

    def _for_people(self, analysis: live_pipeline.LiveAnalysis, output: Output) -> None:
        from analyzer.reporter.outputs.live import EventLines, LiveTable, closing_lines
        from analyzer.reporter.outputs.summary import Summary
        from analyzer.reporter.outputs.table import Table

        settings = self.settings
        width, colour = settings.width or output.width, output.colour(settings.color)
        summary = Summary(width=width, colour=colour)
        watched = self._watched(output)
        table = LiveTable(output.text, _terminal_size, colour=colour, name=analysis.capture.name) if watched else None
        lines = None if watched or settings.quiet else EventLines(output.text, width=width if output.terminal else None)
        rest = Table(output.text, width=width, colour=colour)
        try:
            for one in analysis.rounds():
                if table is None:
                    self._warn(analysis)
                for connection in filter(self._passes, one.connections):
                    summary.add(connection)
                    if table is not None and one.last:
                        rest.add(connection)
                self._show(one, table, lines, analysis)
        finally:
            if table is not None:
                table.leave()
        self._warn(analysis)
        if not settings.quiet:
            rest.finish()
            summary.end_capture(analysis.totals)
            output.text("\n" + summary.text() + "".join(f"{line}\n" for line in closing_lines(analysis.summary())))
            if settings.write:
                saved = analysis.capture.saved or 0
                output.text(f"  {'saved':<11}{saved:,} packets to {escape(settings.write)}\n")

    def _show(
        self,
        one: live_pipeline.Round,
        table: LiveTable | None,
        lines: EventLines | None,
        analysis: live_pipeline.LiveAnalysis,
    ) -> None:
        """What came, on the terminal or as lines."""
        shown = table or lines
        if shown is None:
            return
        if self._tells_events:
            shown.events(one.events)
        for connection in filter(self._passes, one.connections):
            shown.connection(connection)
        now = time.monotonic()
        if table is not None and now - self._drawn >= _DRAW_SECONDS:
            self._drawn = now
            table.draw(analysis.summary(), analysis.open, self.settings.write)
        elif table is None and not one.events and not one.connections:
            self._check_reader()

    def _passes(self, connection: model.Connection) -> bool:
        return all(holds(connection) for holds in self.settings.filters)

    def _check_reader(self) -> None:
        """Nothing is printed for a while: whether there still is somebody to print for. Raises BrokenPipeError."""
        now = time.monotonic()
        if now - self._checked < _DRAW_SECONDS:
            return
        self._checked = now
        try:
            descriptor = sys.stdout.fileno()
        except (OSError, ValueError):  # no file, where a program runs this one inside itself
            return
        poll = select.poll()
        poll.register(descriptor, 0)
        if any(events & select.POLLERR for _, events in poll.poll(0)):
            raise BrokenPipeError

    def _warn(self, analysis: live_pipeline.LiveAnalysis) -> None:
        for warning in analysis.warnings[self._warned :]:
            say(f"warning: {warning.message}")
            self._warned += 1


@contextlib.contextmanager
def _ended_by_signals(analysis: live_pipeline.LiveAnalysis) -> Iterator[None]:
    """The first signal ends the capture, the second one everything."""

    before: dict[signal.Signals, Any] = {}

    def stop_at_once(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def stop(signum: int, frame: FrameType | None) -> None:
        analysis.stop()
        for number in before:
            signal.signal(number, stop_at_once)

    try:
        # `nohup` has SIGHUP ignored, and wants that it stays so.
        numbers = [one for one in _ENDING if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]
        before = {number: signal.signal(number, stop) for number in numbers}
    except ValueError:  # not in the main thread: nothing to handle
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminal_size() -> tuple[int, int]:
    try:
        return tuple(os.get_terminal_size(sys.stdout.fileno()))  # type: ignore[return-value]
    except (OSError, ValueError):
        return 80, 24
