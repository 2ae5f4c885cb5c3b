"""What `analyzer check --update` writes for a capture that has no expectations yet.

Only what stays the same when the capture is recorded again: flows and outcomes, versions, names, requests and
statuses. No times, packet numbers, client ports or sequence numbers, and no counts of retransmissions.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from analyzer.reporter.expectations import Connections

_LISTED: Final = 20  # connections that are described one by one
_EXCHANGES: Final = 10  # of a connection, likewise
_FEW: Final = 3  # values of a field that connections or exchanges do not agree on
_EPHEMERAL: Final = 32768  # from here on Linux gives out ports by itself (net.ipv4.ip_local_port_range)
_TLS: Final = ("version", "server_name", "alpn")
_VERDICT: Final = ("flow", "outcome", "cause", "closed_by")

Draft = dict[str, Any]


def draft(seen: Connections, totals: Mapping[str, int]) -> Draft:
    """The content of a new `expect.yaml`."""
    found = [of_connection(report) for _, report in seen]
    if len(found) > _LISTED:
        found = list(_by_port(found))
    return {"connections": found, "totals": {"connections": totals["connections"]}}


def of_connection(report: Mapping[str, Any]) -> Draft:
    """An element of `connections`."""
    found: Draft = {}
    if report["server_port"] < _EPHEMERAL:
        found["server_port"] = report["server_port"]
    found["open"] = of_verdict(report["open"])
    found["close"] = of_verdict(report["close"])
    found |= _inside(report)
    if report["tunnel"] is not None:
        found["tunnel"] = {"after": report["tunnel"]["after"], **_inside(report["tunnel"])}
        # The outermost TLS and HTTP may be the tunnel's: they are described there.
        for key in ("tls", "http"):
            if report[key] == report["tunnel"][key]:
                found.pop(key, None)
    if report["lifecycle"] is not None:
        found["lifecycle"] = of_verdict(report["lifecycle"])
    return found


def of_verdict(verdict: Mapping[str, Any]) -> Draft:
    """Flow and outcome, and what else there is to tell verdicts apart."""
    return {key: verdict[key] for key in _VERDICT if key in ("flow", "outcome") or verdict.get(key) is not None}


def of_tls(tls: Mapping[str, Any]) -> Draft:
    """The `tls` of a connection."""
    found: Draft = {key: tls[key] for key in _TLS if tls[key] is not None}
    return found | {"handshakes": [of_verdict(one) for one in tls["handshakes"]]}


def of_http(http: Mapping[str, Any]) -> Draft:
    """The `http` of a connection."""
    found: Draft = {"version": http["version"], "connection": of_verdict(http["connection"])}
    if http["max_concurrent"] > 1:
        found["max_concurrent"] = ">1"  # how many at once depends on timing
    exchanges = [of_exchange(one) for one in http["exchanges"]]
    if len(exchanges) <= _EXCHANGES:
        return found | {"exchanges": exchanges}
    return found | {"exchanges": {"length": len(exchanges), "each": _common(exchanges)}}


def of_exchange(exchange: Mapping[str, Any]) -> Draft:
    """A request and its response; of a stream of HTTP/2 also its flow."""
    request, response, verdict = exchange["request"], exchange["response"], exchange["verdict"]
    found: Draft = {"request": None, "response": None}
    if request is not None:
        found["request"] = {"method": request["method"], "target": _target(request["target"])}
    if response is not None:
        found["response"] = {"status": response["status"]}
    if verdict is not None:
        found["verdict"] = {"flow": verdict["flow"]}
    return found


def described(path: Sequence[str | int], value: Any) -> Any:
    """What to expect of a part of a report that no expectation has described yet. `path` ends in its name."""
    names = [part for part in path if isinstance(part, str)]
    name = names[-1] if names else ""
    if isinstance(value, list):
        return [described((*path, at), one) for at, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "flow" in value and "outcome" in value:
        return of_verdict(value)
    drafts = {"tls": of_tls, "http": of_http, "exchanges": of_exchange}
    if name in drafts:
        return drafts[name](value)
    return {key: one for key, one in value.items() if _lasts(key) and not isinstance(one, dict | list)}


def _lasts(key: str) -> bool:
    """Whether a field may be the same in another recording."""
    return not (key.endswith(("packet", "_ns")) or key in ("port", "sha256", "serial", "not_before", "not_after"))


def _inside(report: Mapping[str, Any]) -> Draft:
    found: Draft = {}
    if report["tls"] is not None:
        found["tls"] = of_tls(report["tls"])
    if report["http"] is not None:
        found["http"] = of_http(report["http"])
    return found


def _target(target: str | None) -> Any:
    """A path stays; what a query says is often made up for one request."""
    path, query, _ = (target or "").partition("?")
    return {"like": glob.escape(f"{path}?") + "*"} if query else target


def _by_port(drafts: Sequence[Draft]) -> Iterator[Draft]:
    """One element for all connections to a port, with what they have in common."""
    ports: dict[int | None, list[Draft]] = {}
    for one in drafts:
        ports.setdefault(one.get("server_port"), []).append(one)
    for port, found in ports.items():
        where = f"server.port>={_EPHEMERAL}" if port is None else f"server.port={port}"
        common = _common(found)
        common.pop("server_port", None)
        yield {"where": where, "count": len(found), **common}


def _common(drafts: Sequence[Draft]) -> Draft:
    """The fields that all have, with the same value, or one of a few."""
    found: Draft = {}
    for key, value in drafts[0].items():
        values = [one[key] for one in drafts if key in one]
        if len(values) < len(drafts):
            continue
        if all(one == value for one in values):
            found[key] = value
        elif all(isinstance(one, dict) and "like" not in one for one in values):
            if inner := _common(values):
                found[key] = inner
        elif all(isinstance(one, str | int) for one in values) and len(distinct := dict.fromkeys(values)) <= _FEW:
            found[key] = {"any_of": list(distinct)}
    return found
