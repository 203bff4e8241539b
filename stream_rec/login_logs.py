"""Keeps out of logs what clients log in with: Kafka's libraries write whole requests, and settings, at DEBUG."""

from __future__ import annotations

import logging
from typing import Any

WIRE = ("aiokafka.conn", "kafka.net.connection", "kafka.protocol.parser")
"""Loggers of requests."""
LOGIN_KEY = (36).to_bytes(2, "big")
"""Kafka's number of a request to log in."""


class Secret(str):
    """A text that its ``repr`` does not show; as whatever sends it formats or encodes it, it is itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'(hidden)'"


def hide_logins() -> None:
    """From now on, have aiokafka and kafka-python log of a login that there was one."""
    for name in WIRE:
        logging.getLogger(name).addFilter(_hide)  # the same filter again changes nothing


def _hide(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(map(_without_login, record.args))
    return True


def _without_login(value: Any) -> Any:
    if type(value).__name__.startswith("SaslAuthenticateRequest"):
        return "SaslAuthenticateRequest (hidden)"
    is_frame = isinstance(value, bytes | bytearray)
    return "a login (hidden)" if is_frame and value[4:6] == LOGIN_KEY else value
