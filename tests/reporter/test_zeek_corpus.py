"""What `--format zeek` says of Zeek's own test captures, held against the logs that Zeek wrote of them.

The captures and logs lie beside the project and are no part of it; docs/zeek.md has what is left of the differences.
"""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict

import msgspec
import pytest

from analyzer import pipeline
from analyzer.reporter.outputs import zeek
from tests.cases import ROOT

CORPUS = ROOT.parent / "shared" / "corpus"
EXPECTED = CORPUS / "expected"

pytestmark = pytest.mark.skipif(not EXPECTED.is_dir(), reason="the corpus of public captures is not beside this folder")

# Runs of Zeek that were told to see something else than the capture: another filter, other checksums,
# other timers, analyzers of their own.
OTHER = ("core.pcap.dynamic-filter", "core.checksums_ignore_nets", "request-analyzer", "max_timer_expires",
         "connkey", "core.skip_analyzer", "test.hlto")  # fmt: skip
ENDS = ("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")


def expected(log):
    """Rows of a log, each once: (capture, whether checksums were looked at, row)."""
    found = {}
    for line in (EXPECTED / f"zeek_{log}.jsonl").read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        told = run["test"] + " " + run["cmd"]
        if run["pcap_filter"] or not run["file"] or any(word in told for word in OTHER):
            continue
        checked = not re.search(r" -\w*C", run["cmd"])
        for place, row in enumerate(run["rows"]):
            if all(name in row for name in ENDS) and row.get("proto", "" if log == "conn" else "tcp") == "tcp":
                kept = {name: value for name, value in row.items() if name not in ("ts", "uid")}
                found[run["file"], place, json.dumps([kept.get(name) for name in KNOWN[log]])] = checked, row
    return [(file, checked, row) for (file, *_), (checked, row) in found.items()]


@functools.cache
def ours(file, checked):
    """The records of each log, by the ends of their connections, in their order."""
    path = CORPUS / "captures" / file
    keys = (f"{path}.keylog",) if path.with_name(file + ".keylog").exists() else ()
    options = pipeline.Options(accounts=True, headers=True, checksums="count" if checked else None, keys=keys)
    found = {log: defaultdict(list) for log in zeek.LOGS}
    written = []
    analysis = pipeline.analyze(path, options)
    output = zeek.Zeek(dict.fromkeys(zeek.LOGS, written.append), together=True)
    output.begin(analysis.accounts)
    for connection in analysis:
        output.add(connection)
    output.finish()
    for line in b"".join(written).splitlines():
        record = msgspec.json.decode(line)
        found[record["_path"]][tuple(str(record[name]) for name in ENDS)].append(record)
    return found


def as_zeek_prints(value):
    """A value of a log in tab-separated values."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "T" if value else "F"
    return ",".join(value) if isinstance(value, list) else f"{value:.6f}" if isinstance(value, float) else str(value)


KNOWN = {
    "conn": ("conn_state", "history", "orig_bytes", "resp_bytes", "orig_pkts", "resp_pkts", "orig_ip_bytes",
             "resp_ip_bytes", "missed_bytes", "duration", "local_orig", "local_resp"),
    "ssl": ("version", "cipher", "curve", "server_name", "resumed", "last_alert", "next_protocol", "established",
            "ssl_history", "cert_chain_fps", "subject", "issuer"),
    "http": ("trans_depth", "method", "host", "uri", "referrer", "version", "user_agent", "origin", "request_body_len",
             "response_body_len", "status_code"),
}  # fmt: skip


def compared(log):
    """By field how many agree of how many; and the differences. Of several connections with the same ends each record
    is held against the one that is most like it. Some of Zeek's tests append the logs of other captures to one: of
    ssl.log and http.log that counts which belongs to a TCP connection of this one."""
    counts = {name: [0, 0] for name in KNOWN[log]}
    differences = []
    for file, checked, row in expected(log):
        ends = tuple(row[name] for name in ENDS)
        logs = ours(file, checked)
        if log != "conn" and ends not in logs["conn"]:
            continue
        candidates = logs[log].get(ends, [])
        names = [name for name in KNOWN[log] if name in row]
        said = [[as_zeek_prints(one.get(name)) for name in names] for one in candidates] or [["none"] * len(names)]
        wanted = [row[name].replace("(empty)", "-") for name in names]
        best = max(said, key=lambda values: sum(a == b for a, b in zip(values, wanted, strict=True)))
        for name, value, want in zip(names, best, wanted, strict=True):
            counts[name][0] += value == want
            counts[name][1] += 1
            if value != want:
                differences.append(f"{file} {name}: Zeek {want}, here {value}")
    return counts, differences


# In percent. docs/zeek.md explains what is below 100.
FLOORS = {
    "conn": {"conn_state": 95, "history": 95, "orig_bytes": 95, "resp_bytes": 95, "duration": 95, "missed_bytes": 95},
    "ssl": {},
    # Zeek decodes URIs and bodies; which response had which version is known only where all had the same.
    "http": {"uri": 80, "response_body_len": 80, "version": 55},
}


@pytest.mark.parametrize("log", zeek.LOGS)
def test_it_agrees_with_zeek(log):
    counts, differences = compared(log)
    shown = "\n".join(differences)
    for name, (same, of) in counts.items():
        floor = FLOORS[log].get(name, 90)
        assert of, name
        assert same * 100 >= floor * of, f"{name}: {same} of {of}\n{shown}"
