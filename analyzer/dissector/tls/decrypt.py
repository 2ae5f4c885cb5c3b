"""Opens the records of one connection, with keys from `Secrets`. SSL 3.0 to TLS 1.3.

The dissector says what happens on the wire: `begin` at a ServerHello; `change_cipher`, `handshake`, `application` where
keys change. It gives every protected record to `open`, readable or not and in order, so that records keep their numbers
even while there are no keys; and it tells of loss with `lost`. Nothing that opens is a guess: a MAC or a tag proves it.
Any bytes are taken; what does not open is None, and `why` says why.

Sides are 0 (client) and 1 (server). Versions, cipher suites and content types are the numbers on the wire.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from analyzer.dissector.tls.ciphers import suite
from analyzer.dissector.tls.handshakes import (
    APPLICATION,
    EARLY,
    HANDSHAKE,
    LABELS,
    NO_COMPRESSION,
    Handshake,
    Keys,
    Transcript,
    traffic_keys_of,
)
from analyzer.dissector.tls.key_schedule import TLS_1_3
from analyzer.dissector.tls.positions import Position
from analyzer.dissector.tls.secrets import Secrets, Source

if TYPE_CHECKING:
    from analyzer.dissector.tls.protection import Opened

APPLICATION_DATA: Final = 23
DEFLATE: Final = 1  # RFC 3749
MOST_INFLATED: Final = 16_384  # bytes, RFC 5246 §6.2.2
MOST_EARLY_SUITES: Final = 32  # tried for early data


class _Side:
    """One side's records under their present keys."""

    def __init__(self) -> None:
        self.handshake: Handshake | None = None  # whose keys they are
        self.epoch = EARLY  # of TLS 1.3
        self.protected = False
        self.keys: Keys | None = None  # proven
        self.candidates: list[Keys] = []  # while nothing is proven
        self.following: list[Keys] = []  # of the next epoch
        self.position = Position()
        self.inflater: Any = None  # zlib's
        self.broken = ""  # why nothing more can be read until keys change
        self.why: str | None = None
        self.explained: tuple[int, bool] | None = None  # what `why` was said about
        # Keys of early data, and where it was: when it is rejected, more of it may still be on the way.
        self.left: tuple[list[Keys], Position] | None = None

    def switch(self, handshake: Handshake | None, epoch: int) -> None:
        self.handshake, self.epoch, self.protected = handshake, epoch, True
        self.keys, self.candidates, self.following = None, [], []
        self.position = Position()
        self.inflater, self.broken, self.explained, self.left = None, "", None, None
        if handshake is not None and handshake.compression == DEFLATE:
            self.inflater = zlib.decompressobj()
        elif handshake is not None and handshake.compression != NO_COMPRESSION:
            self.broken = f"compressed with method {handshake.compression}, which this program does not know"


class Opener:
    """The keys of one connection. `source` is where those come from that open its records; None before any did."""

    def __init__(self, secrets: Secrets):
        self.source: Source | None = None
        self.client_randoms: set[bytes] = set()  # of the handshakes so far, for which secrets are looked up
        self._secrets = secrets
        self._pending: Handshake | None = None  # the latest one
        self._early: tuple[bytes, tuple[int, ...]] | None = None  # client random, cipher suites offered
        self._sides = (_Side(), _Side())

    @property
    def why(self) -> str | None:
        """Why records do not open, in words a user can act on; None while they do."""
        return self._sides[0].why or self._sides[1].why

    @property
    def active(self) -> list[bool]:
        """Per side: its records are protected, and there are keys to try."""
        return [side.keys is not None or bool(side.candidates) for side in self._sides]

    def wants(self, side: int) -> bool:
        """Records of this side may open, now or once a key log has grown. If not, `open` need not be called."""
        state = self._sides[side]
        if state.broken or not state.protected:
            return False
        return bool(state.keys or state.candidates or self._secrets.growing or self._next(side))

    def begin(
        self,
        *,
        client_random: bytes,
        server_random: bytes,
        version: int,
        cipher_suite: int,
        extended_master_secret: bool = False,
        encrypt_then_mac: bool = False,
        session_id: bytes = b"",
        ticket: bytes = b"",
        compression: int = NO_COMPRESSION,
    ) -> None:
        """A ServerHello (not a HelloRetryRequest): the keys to come are of this handshake.

        `version`: as negotiated, 0x0300 to 0x0304, or a draft's (0x7f..). `session_id`: the ServerHello's. `ticket`:
        what the client's SessionTicket extension holds. `extended_master_secret`, `encrypt_then_mac`: as agreed.
        """
        self.client_randoms.add(client_random)
        handshake = Handshake(client_random, server_random, version, cipher_suite)
        handshake.extended_master_secret = extended_master_secret
        handshake.encrypt_then_mac = encrypt_then_mac
        handshake.compression = compression
        if not handshake.tls13:
            handshake.session_id, handshake.ticket = session_id, ticket
            handshake.resumable_as += filter(None, [session_id])
        self._pending = handshake

    def client_key_exchange(self, body: bytes, handshake_hash: Transcript) -> None:
        """A ClientKeyExchange, without its four bytes of header: so this is no resumption.

        `handshake_hash`: the digest, by hashlib's name of the hash, of all messages of this handshake up to and
        including this one, with their headers; nothing if some are missing. It is asked for only where the extended
        master secret needs it.
        """
        if self._pending is not None:
            self._pending.key_exchange(body, handshake_hash, self._secrets)

    def remember(self, session_id: bytes = b"", ticket: bytes | None = None) -> None:
        """The session of this handshake may be resumed with this ticket (of a NewSessionTicket), or this id.

        The id in the ServerHello is remembered without this.
        """
        if self._pending is not None and not self._pending.tls13:
            self._pending.resumable_as += filter(None, (session_id, ticket))
            self._pending.remember(self._secrets)

    def change_cipher(self, side: int) -> None:
        """SSL 3.0 to TLS 1.2: this side's ChangeCipherSpec; the next record is the first under the new keys.

        One that came protected itself, in a renegotiation, is opened first.
        """
        if self._pending is not None and not self._pending.tls13:
            self._switch(side, self._pending, HANDSHAKE)

    def early(self, client_random: bytes, cipher_suites: Sequence[int]) -> None:
        """TLS 1.3: a ClientHello that offers early data. `cipher_suites`: all that it offers, in order.

        Which one protects early data is known to those who know the ticket. The record that opens tells.
        """
        self.client_randoms.add(client_random)
        self._early = client_random, tuple(cipher_suites[:MOST_EARLY_SUITES])
        self._switch(0, None, EARLY)

    def handshake(self, side: int) -> None:
        """TLS 1.3: this side uses handshake keys from the next record on.

        The server does after its ServerHello. So does the client, unless it sends early data: then after
        EndOfEarlyData. Where early data is rejected there is none, and the first record under handshake keys tells
        without this call.
        """
        self._advance(side, HANDSHAKE)

    def application(self, side: int) -> None:
        """TLS 1.3: this side uses application keys from the next record on, as it does after its Finished."""
        self._advance(side, APPLICATION)

    def _advance(self, side: int, epoch: int) -> None:
        pending, state = self._pending, self._sides[side]
        # It may have been found out already, by a record that opened.
        if pending is not None and pending.tls13 and not (state.handshake is pending and state.epoch >= epoch):
            early = [state.keys] if state.keys else state.candidates
            left = (early, state.position) if state.protected and state.handshake is None else None
            self._switch(side, pending, epoch)
            state.left = left

    def key_update(self, side: int) -> None:
        """TLS 1.3: this side's KeyUpdate was read. RFC 8446 §7.2."""
        state = self._sides[side]
        if state.handshake is not None and state.handshake.tls13 and state.keys and state.epoch >= APPLICATION:
            following = state.following or self._next(side)
            self._switch(side, state.handshake, state.epoch + 1, following)

    def lost(self, side: int, records: int | None = None, length: int | None = None) -> bool:
        """Bytes are missing between the record given to `open` last and the one that comes next.

        `records`: how many records that were, `length`: how many bytes, with headers; None if not known. Keys that
        changed among them are found without help in TLS 1.3; before, `change_cipher` has to be called first. Returns
        whether decryption may go on.
        """
        state = self._sides[side]
        state.position.lost(records, length)
        if not state.protected:
            return False
        suite = None if state.handshake is None else state.handshake.suite
        if state.inflater is not None:
            state.broken = "bytes are missing, and what follows was compressed together with them"
        elif suite is not None and suite.cipher.mode == "stream" and state.position.stream is None:
            state.broken = "bytes are missing, and RC4 cannot go on without knowing how many"
        state.why = state.broken or state.why
        return not state.broken and self.active[side]

    def open(
        self, side: int, content_type: int, version: int, fragment: bytes | memoryview
    ) -> tuple[int, bytes] | None:
        """Content type and plaintext of a record, from its header's values and its fragment; None: it does not open."""
        state = self._sides[side]
        keys = state.keys
        if keys is not None and not state.broken:
            opened = keys.protection.open(state.position, content_type, version, fragment)
            if opened is not None:
                return self._opened(state, opened, fragment)
        return self._search(side, content_type, version, fragment) if state.protected else None

    def _opened(self, state: _Side, opened: Opened, fragment: bytes | memoryview) -> tuple[int, bytes] | None:
        sequence, content_type, plain = opened
        state.position.opened(sequence, fragment)
        state.why = None
        if state.inflater is not None:
            try:
                plain = state.inflater.decompress(plain, MOST_INFLATED)
            except zlib.error:
                state.why = state.broken = "the compressed data of this connection is damaged"
                return None
        return content_type, plain

    def _search(
        self, side: int, content_type: int, version: int, fragment: bytes | memoryview
    ) -> tuple[int, bytes] | None:
        """The keys in force, if there are any, do not open this record: others may."""
        state = self._sides[side]
        tls13 = state.handshake is None or state.handshake.tls13
        if tls13 and content_type != APPLICATION_DATA:
            return None  # RFC 8446 §5.1: it is not protected, and not counted
        if state.broken:
            state.why = state.broken
            return None
        tried = state.keys is not None
        for keys, epoch, position in self._others(side):
            tried = True
            opened = keys.protection.open(position, content_type, version, fragment)
            if opened is not None:
                self._adopt(side, keys, epoch, position)
                return self._opened(state, opened, fragment)
        state.position.missed(fragment, counted=not tried and not tls13)
        # Told once: to look everything up for each of a million records takes time.
        told = self._secrets.generation, state.keys is not None
        if state.why is None or state.explained != told:
            state.why, state.explained = self._explain(side), told
        return None

    def _others(self, side: int) -> Iterator[tuple[Keys, int, Position]]:
        """Keys to try, with the epoch they are of and the place of the next record under them."""
        state = self._sides[side]
        if state.keys is None:
            state.candidates = state.candidates or list(self._present(side))
            for keys in state.candidates:
                yield keys, state.epoch, state.position
            if state.left is not None:
                early, position = state.left
                for keys in early:
                    yield keys, EARLY, position
        if state.handshake is None or state.handshake.tls13:
            state.following = state.following or list(self._next(side))
            for keys in state.following:
                # What was lost may have been under either.
                yield keys, state.epoch + 1, Position(state.position.slack, state.position.work)

    def _present(self, side: int) -> Iterator[Keys]:
        state = self._sides[side]
        if state.handshake is None:
            if self._early is not None:
                yield from self._early_keys(*self._early)
        elif state.handshake.tls13:
            yield from state.handshake.traffic_keys(side, state.epoch, None, self._secrets)
        else:
            yield from state.handshake.master_keys(side, self._secrets)

    def _early_keys(self, client_random: bytes, offered: Sequence[int]) -> Iterator[Keys]:
        found = self._secrets.find(LABELS[0][EARLY], client_random)
        if found is not None:
            for each in filter(None, map(suite, offered)):
                yield from traffic_keys_of(each, TLS_1_3, *found)

    def _next(self, side: int) -> list[Keys]:
        """Keys of the next epoch of TLS 1.3."""
        state = self._sides[side]
        handshake = state.handshake or self._pending
        if handshake is None or not handshake.tls13:
            return []
        before = state.keys or next(iter(state.candidates), None)
        return list(handshake.traffic_keys(side, state.epoch + 1, before, self._secrets))

    def _adopt(self, side: int, keys: Keys, epoch: int, position: Position) -> None:
        """A record opened with these keys."""
        state = self._sides[side]
        if epoch != state.epoch:
            handshake = self._pending if state.handshake is None else state.handshake
            state.switch(None if epoch == EARLY else handshake, epoch)
        state.keys, state.candidates, state.position, state.left = keys, [], position, None
        self.source = keys.source
        handshake = state.handshake or self._pending
        if state.handshake is not None and not state.handshake.tls13:
            state.handshake.prove(keys.secret, keys.source, self._secrets)
        elif epoch <= APPLICATION:  # the later ones follow from it
            client_random = self._early[0] if epoch == EARLY and self._early else handshake and handshake.client_random
            self._secrets.use(LABELS[side][epoch], client_random or b"", keys.secret)

    def _switch(self, side: int, handshake: Handshake | None, epoch: int, keys: Sequence[Keys] = ()) -> None:
        state = self._sides[side]
        state.switch(handshake, epoch)
        state.candidates = list(keys or self._present(side))
        state.why = state.broken or (None if state.candidates else self._explain(side))

    def _explain(self, side: int) -> str | None:
        """Why a record did not open, or will not."""
        state = self._sides[side]
        if state.keys is not None:
            return "a record does not open: bytes are missing before it, or it is damaged"
        handshake = state.handshake or self._pending
        if handshake is None:
            return None  # early data: the ServerHello tells more
        if state.candidates:
            return handshake.unfit({keys.source for keys in state.candidates})
        return handshake.missing(side, state.epoch, self._secrets)
