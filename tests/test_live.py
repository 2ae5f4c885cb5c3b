"""`analyzer live` on a cable between two hosts: what it prints, what it counts, and how it may end."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from analyzer.capture.source import open_capture
from tests.cases import ROOT
from tests.live_lab import PROGRAM, Live, browse, curl, lab, nameless, objects, read, web

ETHERNET = 1
JSON = ("--format", "jsonl")


@pytest.fixture(scope="module")
def cable():
    with lab() as one:
        web(one.server)
        yield one


def exchange(cable, *words: str) -> None:
    curl(cable.client, "-o", "/dev/null", "http://10.0.0.2/", *words)


def packets_of(path: Path) -> int:
    with open_capture(path) as capture:
        for _ in capture:
            pass
        assert capture.warnings == []
        return capture.packets


@pytest.mark.parametrize("source", ["scapy", "dumpcap", "tshark"])
def test_live_prints_what_read_prints_of_the_file(cable, tmp_path, source):
    """And every packet that tcpdump counted is counted, and all TLS is decrypted with a key log that grows."""
    keys, saved = tmp_path / "keys.log", tmp_path / "seen.pcapng"
    with cable.server.capture(program="tcpdump") as tcpdump:
        live = Live(
            cable.server, "-i", "eth0", "--source", source, *JSON, "--keys", str(keys), "-w", str(saved),
        )  # fmt: skip
        browse(cable.client, keys)
        code, out, said = live.end(settle=1.5)
    try:
        assert (code, said.count("\n")) == (0, 1), said
        found = objects(out)
        assert nameless(found["connection"]) == read(saved, "--keys", str(keys))
        (summary,) = found["summary"]
        assert summary["packets"] == packets_of(tcpdump.path) == packets_of(saved) == summary["saved"]
        assert summary["dropped_by_kernel"] == summary["dropped_by_us"] == 0
        assert summary["connections"] == len(found["connection"]) == 6
        assert out.splitlines()[-1].startswith('{"type":"summary"')
        versions = [(one["http"] or {}).get("version") for one in nameless(found["connection"])]
        assert versions == ["HTTP/1.1"] * 4 + ["HTTP/2", None]
        assert [one["tls"]["decrypted"] for one in nameless(found["connection"]) if one["tls"]] == [True] * 3
    finally:
        tcpdump.discard()


def test_events_are_the_steps_of_the_verdicts(cable, tmp_path):
    keys = tmp_path / "keys.log"
    live = Live(cable.server, "-i", "eth0", *JSON, "--keys", str(keys))
    browse(cable.client, keys)
    found = objects(live.end()[1])
    told = {(one["connection"], one["scope"], one["side"], one["step"], one["packet"]) for one in found["event"]}
    for connection in found["connection"]:
        verdicts = {"tcp-open": [connection["open"]], "tcp-close": [connection["close"]]}
        if connection["tls"]:
            verdicts["tls"] = connection["tls"]["handshakes"]
        if (http := connection["http"]) and http["version"] == "HTTP/2":
            verdicts["http2-stream"] = [one["verdict"] for one in http["exchanges"]]
        elif http:
            verdicts["http1"] = [http["connection"]]
        for scope, some in verdicts.items():
            for step in (step for verdict in some for step in verdict["steps"] if step["seen"] == "observed"):
                assert (connection["id"], scope, step["side"], step["step"], step["packet"]) in told
    details = {(one["scope"], one["step"]): one["detail"] for one in found["event"]}
    assert details["http1", "HTTP Response"] in ("200", "404")
    assert details["tls", "ClientHello"] == "server.test"
    assert ("http2", "SETTINGS") in details


def test_lines_for_people(cable):
    live = Live(cable.server, "-i", "eth0")
    exchange(cable)
    code, out, _ = live.end()
    assert code == 0
    assert "HTTP Request GET /\n" in out
    assert "open ✓ three-way-handshake" in out
    assert "1 connection: " in out
    assert "dropped    0 by the kernel, 0 by the program that captures" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reports_what_is_open(cable, number):
    live = Live(cable.server, "-i", "eth0", *JSON)
    with cable.client.new_socket() as client:
        client.connect(("10.0.0.2", 80))
        code, out, _ = live.end(number)
    found = objects(out)
    assert code == 0
    (connection,) = found["connection"]
    assert (connection["close"]["outcome"], connection["close"]["cause"]) == ("incomplete", "open-at-end")
    assert found["summary"][0]["open_at_end"] == 1
    assert found["summary"][0]["ended"] == "stopped"


def test_a_second_signal_stops_at_once(cable):
    """Nobody reads what it prints: it cannot report, and ends all the same."""
    live = Live(cable.server, "-i", "eth0", *JSON)
    for _ in range(40):  # each response is listed with its header: more than a pipe takes
        exchange(cable, *["-o", "/dev/null", "http://10.0.0.2/"] * 8)
    time.sleep(3)
    live.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert live.process.poll() is None
    live.process.send_signal(signal.SIGINT)
    assert live.process.wait(20) == 130
    live.process.communicate()


def test_a_reader_that_goes_away_ends_it(cable):
    live = Live(cable.server, "-i", "eth0", *JSON)
    live.process.stdout.close()
    assert live.process.wait(20) == 141
    assert live.process.stderr.read() == b""
    live.process.stderr.close()


def test_a_child_does_not_outlive_it(cable):
    live = Live(cable.server, "-i", "eth0", "--source", "dumpcap", *JSON)
    children = Path(f"/proc/{live.pid}/task/{live.pid}/children").read_text().split()
    assert children
    live.process.stdout.close()
    assert live.process.wait(20) == 141
    live.process.stderr.close()
    assert not any(Path("/proc", child).exists() for child in children)


@pytest.mark.parametrize("source", ["scapy", "dumpcap"])
def test_an_interface_that_goes_away(cable, source):
    cable.server.run("ip", "link", "add", "gone", "type", "veth", "peer", "peer")
    for name in ("gone", "peer"):
        cable.server.run("ip", "link", "set", name, "up")
    live = Live(cable.server, "-i", "gone", "--source", source, *JSON)
    cable.server.run("ip", "link", "delete", "gone")
    code, out, said = live.wait()
    assert code == 0
    assert objects(out)["summary"][0]["ended"] == "interface-gone"
    assert "gone" in said.replace("capturing on gone", "")


def test_an_interface_that_goes_down_and_comes_back(cable):
    cable.client.run("ip", "link", "set", "lo", "up")
    live = Live(cable.client, "-i", "lo", *JSON)
    cable.client.run("ip", "link", "set", "lo", "down")
    time.sleep(1.5)
    cable.client.run("ip", "link", "set", "lo", "up")
    time.sleep(0.3)
    with cable.client.inside():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        sender.sendto(b"x", ("127.0.0.1", 9))
    code, out, said = live.end()
    assert code == 0
    assert "waiting for it to come up again" in said
    # The datagram and the answer that nobody listens, each of them once.
    assert objects(out)["summary"][0]["packets"] == 2


def test_killed_it_leaves_a_file_that_can_be_read(cable, tmp_path):
    saved = tmp_path / "seen.pcapng"
    live = Live(cable.server, "-i", "eth0", "-w", str(saved))
    exchange(cable)
    time.sleep(1)
    live.process.kill()
    live.wait()
    (connection,) = read(saved)
    assert connection["http"]["exchanges"][0]["response"]["status"] == 200
    subprocess.run(["tshark", "-r", str(saved), "-q"], check=True, capture_output=True)


def test_a_ring_of_files(cable, tmp_path):
    live = Live(cable.server, "-i", "eth0", "-w", str(tmp_path / "seen.pcapng"), "--ring", "2x100kB", *JSON)
    for _ in range(4):
        curl(cable.client, "-o", "/dev/null", "http://10.0.0.2/big.html")
        time.sleep(0.3)
    live.end()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    assert all(name.startswith("seen_0") and name.endswith(".pcapng") for name in names)
    assert not names[0].startswith("seen_00001")
    assert all(packets_of(tmp_path / name) > 0 for name in names)


def test_a_wrong_filter_is_refused_in_libpcaps_words(cable):
    live = Live(cable.server, "-i", "eth0", "-f", "tcp prt 80", ready=False)
    code, out, said = live.wait()
    assert (code, out) == (2, "")
    assert said.startswith("analyzer: capture filter 'tcp prt 80': can't parse filter expression: syntax error")
    assert said.count("\n") == 1


@pytest.mark.parametrize("source", ["scapy", "dumpcap"])
def test_an_interface_that_does_not_exist(cable, source):
    code, out, said = Live(cable.server, "-i", "eht0", "--source", source, ready=False).wait()
    assert (code, out) == (4, "")
    assert said.count("\n") == 1
    assert "eht0" in said
    if source == "scapy":
        assert "did you mean eth0?" in said


# Whoever is not root may not write coverage's data.
UNMEASURED = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}


def open_to_all(folder: Path) -> None:
    """Anybody may look into it, and get there."""
    for each in (folder, *folder.parents):
        if not each.stat().st_mode & 1:
            each.chmod(0o755)


@pytest.mark.parametrize("source", ["scapy", "dumpcap"])
def test_without_permission(cable, source):
    as_nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    live = Live(cable.server, "-i", "eth0", "--source", source, through=as_nobody, ready=False, env=UNMEASURED)
    code, out, said = live.wait()
    assert (code, out) == (4, "")
    assert said.count("\n") == 1
    assert "permission" in said
    assert "sudo" in said
    assert ("setcap" if source == "scapy" else "wireshark") in said


@pytest.mark.parametrize("source", ["scapy", "dumpcap"])
def test_root_is_given_up_for_the_calling_user(cable, tmp_path, source):
    open_to_all(tmp_path)
    tmp_path.chmod(0o777)
    saved, keys = tmp_path / "seen.pcapng", tmp_path / "keys.log"
    live = Live(
        cable.server, "-i", "eth0", "--source", source, "-w", str(saved), "--keys", str(keys), *JSON,
        env={"SUDO_UID": "65534", "SUDO_GID": "65534"} | UNMEASURED,
    )  # fmt: skip
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{live.pid}/status").read_text().splitlines())
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65534"}
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    # All protocols, also where that user may not read this Python.
    browse(cable.client, keys)
    code, out, said = live.end(settle=1.5)
    assert (code, said.count("\n")) == (0, 1), said
    assert nameless(objects(out)["connection"]) == read(saved, "--keys", str(keys))
    assert any(one["http"] and one["http"]["version"] == "HTTP/2" for one in objects(out)["connection"])
    assert saved.stat().st_uid == 65534


def test_root_is_given_up_for_the_owner_of_the_folder(cable, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    open_to_all(tmp_path)
    live = Live(
        cable.server, "-i", "eth0", "-w", str(folder / "seen.pcapng"), *JSON,
        env={"SUDO_UID": "", "SUDO_GID": ""} | UNMEASURED,
    )  # fmt: skip
    assert "\nUid:\t65534\t" in Path(f"/proc/{live.pid}/status").read_text()
    live.end()
    assert (folder / "seen.pcapng").stat().st_uid == 65534


def test_a_filter_runs_in_the_kernel(cable):
    live = Live(cable.server, "-i", "eth0", "-f", "tcp port 80 and tcp[tcpflags] & tcp-syn != 0", *JSON)
    exchange(cable)
    curl(cable.client, "-o", "/dev/null", "https://10.0.0.2/")
    assert objects(live.end()[1])["summary"][0]["packets"] == 2


def test_limits(cable):
    live = Live(cable.server, "-i", "eth0", "-c", "3", "-s", "64", *JSON)
    exchange(cable)
    code, out, _ = live.wait()
    (summary,) = objects(out)["summary"]
    assert (code, summary["packets"], summary["ended"]) == (0, 3, "packets")
    live = Live(cable.server, "-i", "eth0", "--duration", "300ms", *JSON)
    code, out, _ = live.wait()
    assert (code, objects(out)["summary"][0]["ended"]) == (0, "duration")


def test_any_sees_each_packet_where_it_passes(cable):
    """Loopback, where the kernel shows each packet twice, and an interface that comes into being meanwhile."""
    live = Live(cable.client, "-i", "any", "-f", "tcp or udp port 9", *JSON)
    exchange(cable)
    with cable.client.listen(8080) as listener, cable.client.new_socket() as client:
        client.connect(("10.0.0.1", 8080))
        listener.accept()[0].close()
    code, out, _ = live.end()
    found = objects(out)
    assert code == 0
    assert [one["open"]["flow"] for one in nameless(found["connection"])] == ["tcp-open/three-way-handshake"] * 2
    assert all(one["notes"]["retransmissions"] == 0 for one in found["connection"])


def test_several_interfaces_are_one_capture(cable, tmp_path):
    saved = tmp_path / "seen.pcapng"
    live = Live(cable.client, "-i", "lo", "-i", "eth0", "-f", "tcp", "-w", str(saved), *JSON)
    exchange(cable)
    with cable.client.listen(8081) as listener, cable.client.new_socket() as client:
        client.connect(("10.0.0.1", 8081))
        listener.accept()[0].close()
    found = objects(live.end()[1])
    assert len(found["connection"]) == 2
    assert nameless(found["connection"]) == read(saved)
    with open_capture(saved) as capture:
        owners = {int(number) for frames in capture for number in frames.interface}
        assert [one.name for one in capture.interfaces] == ["lo", "eth0"]
    assert owners == {0, 1}


def test_vlan_tags_are_put_back(cable, tmp_path):
    """The kernel takes them out of what it receives; filters see them all the same."""
    saved = tmp_path / "seen.pcapng"
    live = Live(cable.server, "-i", "eth0", "-f", "vlan 7", "-w", str(saved), *JSON)
    head = bytes.fromhex("020000000002 020000000001")
    segment = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 0x50, 2, 1000, 0, 0)
    packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2") + segment
    with cable.client.inside():
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with sender:
        sender.bind(("eth0", 0))
        for identifier in (7, 8):
            sender.send(head + struct.pack("!HHH", 0x8100, identifier, 0x0800) + packet)
    found = objects(live.end()[1])
    assert [one["vlan"] for one in found["connection"]] == [[7]]
    assert nameless(found["connection"]) == read(saved)
    with open_capture(saved) as capture:
        frames = next(iter(capture))
        assert bytes(frames.data[frames.offset[0] :][:18]) == head + bytes.fromhex("8100 0007 0800")


def test_what_the_kernel_drops_is_counted(cable):
    """A small ring, and nobody who empties it: what is lost and what is counted are all there was."""
    live = Live(cable.server, "-i", "eth0", "-f", "udp port 9", "-B", "2MB", *JSON)
    live.process.send_signal(signal.SIGSTOP)
    with cable.client.inside():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sent = 6000
    with sender:
        for _ in range(sent):
            sender.sendto(bytes(1000), ("10.0.0.2", 9))
            time.sleep(0)
    time.sleep(0.5)
    live.process.send_signal(signal.SIGCONT)
    (summary,) = objects(live.end()[1])["summary"]
    assert summary["dropped_by_kernel"] > 0
    assert summary["packets"] + summary["dropped_by_kernel"] == sent


def test_idle_connections_make_room(cable):
    live = Live(cable.server, "-i", "eth0", "--idle-timeout", "1s", *JSON)
    with cable.client.new_socket() as client:
        client.connect(("10.0.0.2", 80))
        time.sleep(3)
        code, out, _ = live.end()
    found = objects(out)
    assert code == 0
    assert [one["close"]["cause"] for one in found["connection"]] == ["evicted"]
    assert found["summary"][0]["evicted"] == 1


def test_too_many_connections(cable):
    live = Live(cable.server, "-i", "eth0", "--max-connections", "3", *JSON)
    held = [cable.client.new_socket() for _ in range(5)]
    for one in held:
        one.connect(("10.0.0.2", 80))
    found = objects(live.end()[1])
    for one in held:
        one.close()
    causes = [one["close"]["cause"] for one in nameless(found["connection"])]
    assert causes == ["evicted", "evicted", "open-at-end", "open-at-end", "open-at-end"]


def test_from_a_pipe(cable, tmp_path):
    """As `ssh host tcpdump -U -w - | analyzer live -`."""
    saved = tmp_path / "seen.pcapng"
    tcpdump = cable.server.start(
        "tcpdump",
        "--immediate-mode",
        "-Z",
        "root",
        "-U",
        "-i",
        "eth0",
        "-w",
        "-",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while b"listening" not in tcpdump.stderr.readline():
        pass
    live = Live(cable.server, "-", "-f", "port 80", "-w", str(saved), *JSON, stdin=tcpdump.stdout)
    exchange(cable)
    time.sleep(0.5)
    tcpdump.send_signal(signal.SIGINT)
    code, out, _ = live.wait()
    found = objects(out)
    assert code == 0
    assert found["summary"][0]["ended"] == "end-of-input"
    assert nameless(found["connection"]) == read(saved)
    assert [one["http"]["version"] for one in found["connection"]] == ["HTTP/1.1"]


def test_interfaces_are_listed(cable):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = cable.server.run(*PROGRAM, "interfaces", env=environment).stdout
    lines = {line.split()[0]: line for line in shown.splitlines()[2:]}
    assert set(lines) >= {"lo", "eth0", "any"}
    assert "10.0.0.2" in lines["eth0"]
    assert " up " in lines["eth0"]
    assert "Ethernet" in lines["eth0"]


MANY_INTERFACES = """\
import socket
import threading

from analyzer.capture.live import sockets
from analyzer.cli import program

sockets.MOST_INTERFACES = 1

def send():
    for address in ("127.0.0.1", "10.0.0.2"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"hello", (address, 9))

threading.Timer(1.5, send).start()
program(["live", "-i", "any", "--duration", "20"])
"""


def test_more_interfaces_than_there_is_room_for(cable):
    done = subprocess.run(
        ["ip", "netns", "exec", cable.client.name, PROGRAM[0], "-c", MANY_INTERFACES], cwd=ROOT, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert b"analyzer: more than 1 interfaces: name those to capture on with -i\n" in done.stderr
