"""What HTTP/1 calls its steps: the names the flow pages of `http1` may use, and what each means.

HTTP/0.9, 1.0 and 1.1 are one protocol here (RFC 9112 and its Appendix C; RFC 1945 for the first).

`HTTP Request`
    A request, where its head ends (RFC 9112 §2.1); its body may still be on the way. `outstanding` above 0 is
    pipelining (§9.3.2).
`Interim Response`
    A response with a status of 100 to 199, other than 101 (RFC 9110 §15.2): the final one is still to come.
`HTTP Response`
    A final response, at its last byte (RFC 9112 §6.3).
`Cut Response`
    A final response that ended with its connection before it was complete (§8).
`Upgrade`
    A response with status 101, where its head ends: from here on the connection speaks `protocol` (RFC 9110 §7.8).
`Tunnel`
    A response with a status of 200 to 299 to CONNECT, where its head ends: what follows is the tunnel's
    (RFC 9110 §9.3.6).

`method`, `target` and `authority` of a response are those of the request it answers.

This module holds names only, so that reading the flow pages costs nothing more; `connection.py` is the dissector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STEPS: Final = ("HTTP Request", "Interim Response", "HTTP Response", "Cut Response", "Upgrade", "Tunnel")

ATTRIBUTES: Final[Mapping[str, str]] = {
    "outstanding": "number",  # other requests that are not answered to the end yet
    "method": "text",
    "target": "text",  # as sent
    "authority": "text",  # of an absolute target, else of Host
    "status": "number",
    "version": "text",  # of this message: "HTTP/1.1"
    "protocol": "text",  # what an Upgrade leads to, in lower case: "websocket", "h2c"
}
