"""Where Kafka's brokers are, as people write it: ``host:port,host:port``."""

from __future__ import annotations

import re
from typing import NamedTuple

EXPECTED = "expected host:port,... as in localhost:9092"
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?", re.ASCII)
_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9._-]+)?", re.ASCII)
MOST_PORT = 65_535


class AddressError(ValueError):
    """A text is no list of addresses: the message says which part of it, and why."""


class Address(NamedTuple):
    """Where one broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def addresses(text: str) -> list[Address]:
    """Return the addresses of a list, which may have spaces around its commas; none for an empty text.

    Example:
        >>> addresses("localhost:9092, [::1]:9093")
        [Address(host='localhost', port=9092), Address(host='::1', port=9093)]

    Raises:
        AddressError: it is no such list.
    """
    return [_address(part.strip(), text) for part in text.split(",")] if text else []


def _address(part: str, text: str) -> Address:
    """Return one address of the list ``text``."""

    def error(why: str) -> AddressError:
        return AddressError(f"{EXPECTED}, came {text!r}: {why}")

    if not part:
        raise error("an address is empty")
    if "://" in part:
        raise error(f"leave out {part.partition('://')[0] + '://'!r}")
    if _IPV6.fullmatch(part) and part.count(":") > 1:
        raise error("an IPv6 address goes into brackets, as in [::1]:9092")
    host, colon, port = part.rpartition(":")
    if not colon or host.startswith("[") != host.endswith("]"):
        raise error(f"{part!r} has no port")
    if not (_IPV6.fullmatch(host[1:-1]) if host.startswith("[") else _HOST.fullmatch(host)):
        raise error(f"{host!r} is no name of a host")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) <= MOST_PORT:
        raise error(f"{port!r} is no port from 1 to {MOST_PORT}")
    return Address(host.strip("[]"), int(port))
