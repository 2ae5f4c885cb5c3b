"""Recorded conversations (data_tls), and the least reader of TLS that gives an `Opener` what it needs."""

from __future__ import annotations

import hashlib
import json
import lzma
from functools import cache
from pathlib import Path

from analyzer.dissector.tls.decrypt import Opener
from analyzer.dissector.tls.secrets import Secrets

DATA = Path(__file__).parent / "data_tls"
RETRY = hashlib.sha256(b"HelloRetryRequest").digest()  # RFC 8446 §4.1.3
HANDSHAKE, APPLICATION_DATA = 22, 23


@cache
def conversations() -> dict[str, dict]:
    with lzma.open(DATA / "transcripts.jsonl.xz", "rt") as file:
        return {each["name"]: each for each in map(json.loads, file)}


def names(*, beginning: str = "", containing: str = "") -> list[str]:
    return [name for name in conversations() if name.startswith(beginning) and containing in name]


def secrets_of(*which: str) -> Secrets:
    secrets = Secrets()
    for name in which:
        secrets.add_keylog("\n".join(conversations()[name]["keylog"]))
    return secrets


def records(data: bytes) -> list[tuple[int, int, bytes]]:
    """Content type, version, fragment of each complete record."""
    found, at = [], 0
    while at + 5 <= len(data):
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        found.append((data[at], int.from_bytes(data[at + 1 : at + 3], "big"), data[at + 5 : at + 5 + length]))
        at += 5 + length
    return found


def extensions(block: bytes) -> dict[int, bytes]:
    found, at = {}, 2
    while at + 4 <= len(block):
        length = int.from_bytes(block[at + 2 : at + 4], "big")
        found[int.from_bytes(block[at : at + 2], "big")] = block[at + 4 : at + 4 + length]
        at += 4 + length
    return found


class Talk:
    """One conversation. `said` is application data by side, `early` what of it came early, `types` what opened."""

    def __init__(self, secrets: Secrets):
        self.opener = Opener(secrets)
        self.said, self.early, self.unopened = [b"", b""], b"", [0, 0]
        self.types: list[tuple[int, int]] = []
        self.protected, self.tls13 = [False, False], False
        self._offers_early = False
        self._transcript, self._ticket, self._client_random = b"", b"", b""
        self._partial = [b"", b""]  # of a handshake message

    def play(self, name: str) -> Talk:
        for side, data in conversations()[name]["turns"]:
            for record in records(bytes.fromhex(data)):
                self.record(side, *record)
        return self

    def record(self, side: int, content_type: int, version: int, fragment: bytes) -> None:
        if self.protected[side] and (content_type == APPLICATION_DATA or not self.tls13):
            opened = self.opener.open(side, content_type, version, fragment)
            if opened is None:
                self.unopened[side] += 1
                return
            content_type, fragment = opened
            self.types.append((side, content_type))
        if content_type == 20 and not self.tls13:
            self.opener.change_cipher(side)
            self.protected[side] = True
        elif content_type == HANDSHAKE:
            data = self._partial[side] + fragment
            while len(data) >= 4 and len(data) >= (end := 4 + int.from_bytes(data[1:4], "big")):
                self._message(side, data[0], data[:end])
                data = data[end:]
            self._partial[side] = data
        elif content_type == APPLICATION_DATA:
            self.said[side] += fragment
            if side == 0 and self._offers_early:
                self.early += fragment

    def _message(self, side: int, kind: int, message: bytes) -> None:
        body = message[4:]
        self._transcript = message if kind == 1 else self._transcript + message
        if kind == 1:
            self._client_hello(body)
        elif kind == 2 and body[2:34] == RETRY:
            self.tls13, self._offers_early, self.protected[0] = True, False, False
        elif kind == 2:
            self._server_hello(body)
        elif kind == 4 and not self.tls13:
            self.opener.remember(ticket=body[6:])
        elif kind == 5:
            self._offers_early = False
            self.opener.handshake(0)
        elif kind == 16:
            self.opener.client_key_exchange(body, lambda name: hashlib.new(name, self._transcript).digest())
        elif kind == 20 and self.tls13:
            self._offers_early = self._offers_early and side == 1
            self.opener.application(side)
        elif kind == 24:
            self.opener.key_update(side)

    def _client_hello(self, body: bytes) -> None:
        self._client_random = body[2:34]
        at = 35 + body[34]
        length = int.from_bytes(body[at : at + 2], "big")
        suites = [int.from_bytes(body[i : i + 2], "big") for i in range(at + 2, at + 2 + length, 2)]
        at += 2 + length
        offered = extensions(body[at + 1 + body[at] :])
        self._ticket = offered.get(35, b"")
        if 42 in offered:
            self._offers_early = self.protected[0] = self.tls13 = True
            self.opener.early(self._client_random, suites)

    def _server_hello(self, body: bytes) -> None:
        at = 35 + body[34]
        agreed = extensions(body[at + 3 :])
        version = int.from_bytes(agreed.get(43, body[:2]), "big")
        self.tls13 = version == 0x0304
        self.opener.begin(
            client_random=self._client_random,
            server_random=body[2:34],
            version=version,
            cipher_suite=int.from_bytes(body[at : at + 2], "big"),
            extended_master_secret=23 in agreed,
            encrypt_then_mac=22 in agreed,
            session_id=body[35:at],
            ticket=self._ticket,
            compression=body[at + 2],
        )
        if self.tls13:
            self.protected = [True, True]
            self.opener.handshake(1)
            if not self._offers_early:
                self.opener.handshake(0)
