"""Damage: what a bad disk, a hostile producer or a newer program may make of a valid message.

Everything is drawn from one ``random.Random``: hypothesis drives it in the tests, where it can shrink what fails, and a
seed drives it in ``python -m tests.fuzz``, a hundred times as fast.
"""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import msgspec

SURROGATE = "\ufdd0"
"""Stands for a lone surrogate, which no encoder writes, until the bytes are made: see ``packed``."""
NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 4, 16, 17, 255, 256, 2**31, -(2**31), 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)),
    *(0.0, -0.0, 0.5, 1e-320, 1e-20, 1e20, 1e308, float("nan"), float("inf"), float("-inf")),
)
TEXTS = (
    "",
    "*",
    "\0",
    "a",
    "i1",
    "e0",
    "u",
    " ",
    "é" * 129,
    "a" * 257,
    "\ufeff",
    f"i{SURROGATE}",
    "../../x",
    "2021-02-30",
)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"": None}, {"a": [1]}, b"", b"\xff" * 8, b"\0" * 15)
FORMATS = ("<B", "<H", "<I", "<Q", "<q", "<e", "<f", "<d", ">H", ">I")
LONGEST = 65_536


def odd(random: Random) -> Any:
    """Return one value that is probably not expected."""
    return random.choice(random.choice((NUMBERS, TEXTS, OTHERS)))


def damaged(tree: Any, random: Random) -> Any:
    """Return plain data with up to three things wrong in it; ``tree`` itself is left as it was."""
    for _ in range(random.randint(1, 3)):
        tree = _changed(tree, random)
    return tree


def _changed(node: Any, random: Random) -> Any:
    """Go down to a place drawn at random and change what stands there."""
    if isinstance(node, list | tuple) and node:
        node = list(node)
        if random.random() < 0.8:
            at = random.randrange(len(node))
            node[at] = _changed(node[at], random)
            return node
        return _changed_list(node, random)
    if isinstance(node, dict) and node:
        node = dict(node)
        key = random.choice(list(node))
        match random.randrange(8):
            case 0:
                del node[key]
            case 1:
                node[_key(random)] = node[key]
            case 2:
                node |= {f"k{number}": node[key] for number in range(random.choice((3, 300)))}
            case _:
                node[key] = _changed(node[key], random)
        return node
    match random.randrange(8):
        case 0 if isinstance(node, bytes):
            return damaged_bytes(node, random)
        case 1 if isinstance(node, int | float):
            return random.choice((-node, node + 1, node * 2, float(node), str(node), [node]))
        case 2:
            return nested(random, node)
        case 3 if isinstance(node, str):
            return random.choice((node * random.choice((0, 2, 400)), node.upper(), [node], node.encode()))
        case 4 | 5 if isinstance(node, int | float):
            return random.choice(NUMBERS)
    return odd(random)


def _changed_list(node: list[Any], random: Random) -> Any:
    at, other = random.randrange(len(node)), random.randrange(len(node))
    match random.randrange(7):
        case 0:
            del node[at:other]
        case 1:
            node[at], node[other] = node[other], node[at]
        case 2:
            node[at:at] = [node[other]] * random.choice((1, 2, 20, 1000))
        case 3:
            node.append(odd(random))
        case 4:
            return node[::-1]
        case 5:
            return nested(random, node)
        case 6:
            return {str(place): part for place, part in enumerate(node)}
    return node


def _key(random: Random) -> Any:
    key = odd(random)
    return key if isinstance(key, str | int) else "k"


def nested(random: Random, node: Any) -> Any:
    """Return a value within lists within lists: deeper than decoders go, never deeper than encoders do."""
    for _ in range(random.choice((1, 10, 150))):
        node = [node]
    return node


def packed(tree: Any) -> bytes:
    """Return plain data as msgpack, lone surrogates as the three bytes that they would be."""
    return msgspec.msgpack.encode(tree).replace(SURROGATE.encode(), b"\xed\xa0\x80")


def damaged_bytes(data: bytes, random: Random) -> bytes:
    """Return bytes with up to four things wrong in them."""
    for _ in range(random.randint(1, 4)):
        data = _cut_or_written_over(data, random)
    return data[:LONGEST]


def _cut_or_written_over(data: bytes, random: Random) -> bytes:
    at, other = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    match random.randrange(9):
        case 0 if data:
            at = random.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[other:]
        case 3:
            return data[:other] + data[at:other] * random.choice((1, 2, 50)) + data[other:]
        case 4:
            return data[:at] + random.randbytes(random.choice((1, 2, 8, 40))) + data[at:]
        case 5:
            return data[:at] + _lying_length(random) + data[at:]
        case 6:
            return data[:at] + random.choice((b"\x91", b"[", b'{"a":', b"\x81\xa1a")) * 5000 + data[at:]
    return _number_written_over(data, at, random)


def _number_written_over(data: bytes, at: int, random: Random) -> bytes:
    """Return the bytes with a number of some width where perhaps another stood."""
    kind, number = random.choice(FORMATS), random.choice(NUMBERS)
    try:
        written = struct.pack(kind, number)
    except (struct.error, OverflowError):
        written = b"\xff" * struct.calcsize(kind)
    return data[:at] + written + data[at + len(written) :]


def _lying_length(random: Random) -> bytes:
    """Return the beginning of a text, bytes, list, map or extension that claims to be huge, as msgpack has it."""
    return bytes([random.choice((0xDB, 0xC6, 0xDD, 0xDF, 0xC9))]) + random.choice((b"\xff" * 4, b"\x7f\xff\xff\xff"))
