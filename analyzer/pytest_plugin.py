"""The pytest plug-in: every `expect.yaml` beside a capture is a test, and tests may look at connections.

    def test_login(capture):
        connection = capture("login.pcapng").only("server.port=443")
        assert connection.close.flow == "tcp-close/four-way"

    def test_live(live_capture, service):
        with live_capture(f"tcp port {service.port}") as traffic:
            service.login()
        assert traffic.connections.only().http.exchanges[0].response.status == 200

A failed assertion shows the evidence: which steps were seen, in which packets, and where they left the flow.

pytest loads this module wherever analyzer is installed, so that it imports nothing before somebody needs it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from analyzer.connections import Connections
    from analyzer.reporter.outputs.checks import Result

_EXPECTATIONS = "expect.yaml"
_KEPT = 32  # captures that are remembered
_LIVE = ("skip", "require")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "analyzer_captures",
        "folders in which every expect.yaml is a test, also where the capture is missing (which fails); elsewhere only "
        "those beside a capture are",
        type="paths",
        default=[],
    )
    parser.addini(
        "analyzer_live",
        "what a test with live_capture does where nobody may capture: skip (the default), or require, and it fails",
        default="skip",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getini("analyzer_live") not in _LIVE:
        raise pytest.UsageError(f"analyzer_live is {' or '.join(_LIVE)}, not {config.getini('analyzer_live')}")


# Expectations.


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name == _EXPECTATIONS and _is_ours(file_path, parent.config):
        collector: pytest.Collector = ExpectationsFile.from_parent(parent, path=file_path)
        return collector
    return None


def _is_ours(file: Path, config: pytest.Config) -> bool:
    """Others may call a file so, too: a capture beside it tells, or the project's settings do."""
    if any(file.is_relative_to(folder) for folder in config.getini("analyzer_captures")):
        return True
    from analyzer.capture.source import captures_in
    from analyzer.errors import InputError

    try:
        return bool(captures_in(file.parent))
    except InputError:
        return False


class ExpectationsFile(pytest.File):
    """An `expect.yaml`."""

    def collect(self) -> Iterator[pytest.Item]:
        yield ExpectationsItem.from_parent(self, name="check")


class ExpectationsItem(pytest.Item):
    """The test that a capture is as its `expect.yaml` says."""

    def runtest(self) -> None:
        from analyzer.commands import checking

        result = checking.hold(checking.case_in(Path(os.path.relpath(self.path.parent))))
        if result.warnings:
            self.add_report_section("call", "capture", "\n".join(result.warnings))
        if result.outcome != "passed":
            raise NotAsExpectedError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from analyzer.errors import AnalyzerError
        from analyzer.reporter.escape import escape
        from analyzer.reporter.outputs.checks import as_failure

        if isinstance(excinfo.value, NotAsExpectedError):
            return as_failure(excinfo.value.result, width=_columns(self.config)).rstrip("\n")
        if isinstance(excinfo.value, AnalyzerError):
            return escape(str(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{os.path.relpath(self.path, self.config.rootpath)}"


class NotAsExpectedError(Exception):
    """A capture is not as its `expect.yaml` says."""

    def __init__(self, result: Result):
        super().__init__(f"{len(result.differences)} not as expected")
        self.result = result


# Fixtures.


@pytest.fixture(scope="session")
def _analyzer_captures() -> dict[tuple[object, ...], Connections]:
    """What has been read, the last one read last."""
    return {}


@pytest.fixture
def capture(
    request: pytest.FixtureRequest, _analyzer_captures: dict[tuple[object, ...], Connections]
) -> Callable[..., Connections]:
    """`capture("login.pcapng")`: the connections of a capture, as `analyzer.read` returns them.

    A relative path starts at the test's file. A `keys.log` or `server.key` beside the capture decrypts it; options are
    those of `analyzer.read`. A capture is read when it is first asked for, and once for all tests.
    """

    def read(path: str | os.PathLike[str], **options: Any) -> Connections:
        __tracebackhide__ = True
        import analyzer
        from analyzer.commands.checking import keys_beside

        file = (request.path.parent / path).resolve()
        options.setdefault("keys", keys_beside(file.parent))
        found = None
        with contextlib.suppress(OSError):
            found = os.stat(file)
        key = (file, found and (found.st_mtime_ns, found.st_size), _key(options))
        known = _analyzer_captures.pop(key, None)
        if known is None:
            try:
                known = analyzer.read(os.path.relpath(file), **options)
            except analyzer.AnalyzerError as error:
                reason = str(error)
            if known is None:
                pytest.fail(reason)  # out here, where what was raised before is not told as well
            while len(_analyzer_captures) >= _KEPT:
                _analyzer_captures.pop(next(iter(_analyzer_captures)))
        _analyzer_captures[key] = known
        return known

    return read


def _key(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in options.items()))


class LiveTraffic:
    """What `live_capture` gives. `path` is the capture; it stays as long as pytest keeps the test's folder."""

    def __init__(self, path: Path):
        self.path = path
        self._connections: Connections | None = None

    @property
    def connections(self) -> Connections:
        """What was captured, once the block has ended."""
        if self._connections is None:
            raise RuntimeError("packets are still captured: look at the connections after the with block")
        return self._connections


@pytest.fixture
def live_capture(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., contextlib.AbstractContextManager[LiveTraffic]]:
    """`with live_capture("tcp port 8443") as traffic:` captures while the block runs; `traffic.connections` afterwards.

    The filter is pcap's; `interface` is `lo` unless said otherwise. What the block runs and writes a key log where
    `SSLKEYLOGFILE` says is decrypted: the variable is set while the block runs, unless it is set anyway. Where nobody
    may capture, the test is skipped, or fails with `analyzer_live = require`.
    """
    numbers = iter(range(1, sys.maxsize))

    @contextlib.contextmanager
    def record(
        packet_filter: str, *, interface: str = "lo", settle: float | None = None, **options: Any
    ) -> Iterator[LiveTraffic]:
        import analyzer
        from analyzer.capture.recorder import SETTLE_S, recording

        number = next(numbers)
        traffic = LiveTraffic(tmp_path / f"live-{number}.pcap")
        with monkeypatch.context() as patch, contextlib.ExitStack() as stack:
            key_log = os.environ.get("SSLKEYLOGFILE") or str(tmp_path / f"live-{number}.keys.log")
            patch.setenv("SSLKEYLOGFILE", key_log)
            seconds = SETTLE_S if settle is None else settle
            try:
                stack.enter_context(recording(str(traffic.path), interface, packet_filter, settle_s=seconds))
            except analyzer.LiveError as error:
                if request.config.getini("analyzer_live") == "require":
                    raise
                pytest.skip(str(error))
            yield traffic
        if os.path.isfile(key_log):
            options.setdefault("keys", (key_log,))
        traffic._connections = analyzer.read(str(traffic.path), **options)

    return record


# Assertions.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    # Without the model nobody has connections to show evidence of.
    if call.excinfo is not None and report.failed and "analyzer.model" in sys.modules:
        from analyzer.pytest_evidence import of_failure

        told: Any = report.longrepr
        if call.excinfo.errisinstance((AssertionError, LookupError)) and hasattr(told, "addsection"):
            evidence = of_failure(call.excinfo, _columns(item.config))
            if evidence:
                told.addsection("what was captured", evidence)
    return report


def _columns(config: pytest.Config) -> int:
    """Of the terminal; a process of pytest-xdist has none."""
    return config.get_terminal_writer().fullwidth
