"""The log as JSON: one object a line, with the facts of our messages as fields of their own.

A message of ours is a past-tense fact with fields, ``served events=3 age_p50_ms=30``: its first word is the event, and
what stands before ``=`` names a field. Values are taken from the call where it has them, so that a number stays one and
a text may hold blanks. What is no field, as in the messages of libraries, is ``text``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

LIBRARY = "stream_rec.library"
"""The logger of every line that a library writes; ``library`` says which."""
OWN = "stream_rec"
LONGEST_VALUE = 10_000
"""Characters of one field; a traceback has its end."""

_EVENT = re.compile(r"[a-z][a-z0-9_]*")
_FIELD = re.compile(r"([a-z][a-z0-9_]*)=(.*)", re.DOTALL)
_DIRECTIVE = re.compile(r"%(?:[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]|%)")
_FIXED = ("time", "level", "logger", "library", "event", "text", "exception")
_ENCODER = msgspec.json.Encoder(enc_hook=str)


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end. Whatever a record holds, it is a line."""
        name = record.name
        is_ours = name.partition(".")[0] in (OWN, "__main__")
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": name if is_ours else LIBRARY,
        }
        if not is_ours:
            line["library"] = name
        line |= {key: _bounded(value) for key, value in _facts(record).items()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-LONGEST_VALUE:]
        return _ENCODER.encode(line).decode(errors="replace")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """Return event, fields and text of a record."""
    try:
        words = list(_split(record))
    except Exception:  # a call whose arguments do not fit its message: logging prints it, and loses it
        words = [(str(record.msg), None), (str(record.args), None)]
    facts: dict[str, Any] = {}
    text: list[str] = []
    name = ""
    for word, value in words:
        if (field := _FIELD.fullmatch(word)) and field[1] not in _FIXED:
            name = field[1]
            facts[name] = field[2] if value is None else value
        elif isinstance(facts.get(name), str):  # as in `why=it is away`
            facts[name] += f" {word}"
        elif not facts and not text and _EVENT.fullmatch(word):
            facts["event"] = word
        else:
            text.append(word)
    return facts | ({"text": " ".join(text)} if text else {})


def _split(record: logging.LogRecord) -> Iterator[tuple[str, int | float | None]]:
    """Yield the words of a message as they are written, and of a field its value where that is a number.

    Raises:
        TypeError: the arguments do not fit the message.
    """
    if not isinstance(record.msg, str) or not isinstance(record.args, tuple):
        for word in record.getMessage().split(" "):
            yield word, _number(word)
        return
    arguments: Sequence[Any] = record.args
    for word in record.msg.split(" "):
        n = sum(each != "%%" for each in _DIRECTIVE.findall(word)) if arguments else 0
        own, arguments = tuple(arguments[:n]), arguments[n:]
        written = word % own if n else word
        if n and "=" in word:
            is_text = any(isinstance(each, str) for each in own)
            yield written, None if is_text else _number(written)
        else:  # one argument may hold fields that were put together before
            for each in written.split(" "):
                yield each, _number(each)
    if arguments:
        raise TypeError("more arguments than the message has places")


def _number(word: str) -> int | float | None:
    """Return the value of a field if it is a number, else None."""
    _, _, value = word.partition("=")
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        return number if abs(number) < float("inf") else None
    return None


def _bounded(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…"
