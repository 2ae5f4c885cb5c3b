"""What the pages about whole connections, and about all connections between a client and a server, may say.

Such pages take their steps from all the protocols of a connection. Of HTTP/2 these are requests and responses, named as
HTTP/1 names them, so that a page holds for both. A layer of which a page names a step must be followed in full; layers
it says nothing about do not matter to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from analyzer.dissector import http1, http2, tcp, tls

CONNECTION: Final = "connection"
CONVERSATION: Final = "conversation"  # all connections of one client and one server, by their addresses
WHOLE: Final = (CONNECTION, CONVERSATION)

REFERENCES: Final = ("tcp-open", "tls", "http1", "http2", "tcp-close")

TCP: Final = tcp.STEPS
TLS: Final = tuple(name for name in tls.STEPS if name != "Encrypted")
HTTP: Final = (*http1.STEPS, "PUSH_PROMISE", "RST_STREAM")
# Frames that concern an HTTP/2 connection; how many there are, and when, is up to the programs. Each for itself.
HTTP2: Final = tuple(name for name in http2.CONNECTION_STEPS if name != "HEADERS")

STEPS: Final = (*TCP, *TLS, *HTTP, *HTTP2, *(f"ref {scope}" for scope in REFERENCES))

# Steps that a page has to name all of, if it names one.
_TOGETHER: Final = (frozenset(TCP), frozenset(TLS), frozenset(HTTP))

_OF_A_CONNECTION: Final[Mapping[str, str]] = {
    **tls.ATTRIBUTES,
    **http2.ATTRIBUTES,
    **http1.ATTRIBUTES,
    "stream": "number",  # of HTTP/2
    "header.*": "text",  # a header field of a request or a final response, its name in lower case; all of its values
    "port": "number",  # the server's
    "flow": "text",  # of a reference: the flow that was followed
    "resumed": "flag",  # of `ref tls`
    "client_authenticated": "flag",  # of `ref tls`
    "begun_by": "text",  # of a reference: client, server
    "closed_by": "text",  # of `ref tcp-close`
}
ATTRIBUTES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        CONNECTION: _OF_A_CONNECTION,
        CONVERSATION: {**_OF_A_CONNECTION, "connection": "number"},  # counted from 1, by first packet
    }
)


def must_follow(named: frozenset[str]) -> frozenset[str]:
    """The steps that a page which names some of them must take in full."""
    return named.union(*(layer for layer in _TOGETHER if layer & named))
