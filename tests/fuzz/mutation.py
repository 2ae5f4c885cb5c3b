"""Bytes changed at random, reproducibly: what a fuzzer does, without one."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

_TELLING = (0, 1, 0x7F, 0x80, 0xFF)


def mutated(seeds: list[bytes], count: int, seed: int, most: int) -> Iterator[bytes]:
    """`count` inputs of at most `most` bytes; the same ones for the same seeds and number."""
    random = Random(seed)
    for _ in range(count):
        data = bytearray(random.choice(seeds))
        for _ in range(1 + int(random.expovariate(0.5))):
            _change(data, random, seeds)
        yield bytes(data[:most])


def _change(data: bytearray, random: Random, seeds: list[bytes]) -> None:
    begin = random.randrange(len(data) + 1)
    end = min(len(data), begin + 1 + int(random.expovariate(0.05)))
    match random.randrange(8):
        case 0 if begin < len(data):
            data[begin] ^= 1 << random.randrange(8)
        case 1 if begin < len(data):
            data[begin] = random.choice(_TELLING)
        case 2:
            del data[begin:]
        case 3:
            del data[begin:end]
        case 4:
            data[begin:begin] = data[begin:end]
        case 5:
            data[begin:end] = random.randbytes(end - begin)
        case 6:
            other = random.choice(seeds)
            at = random.randrange(len(other) + 1)
            data[begin:begin] = other[at : at + 200]
        case _ if len(data) >= begin + 4:
            number = random.choice((0, 1, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data)))
            data[begin : begin + 4] = number.to_bytes(4, random.choice(("big", "little")))
