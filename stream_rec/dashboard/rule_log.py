"""What became of rules lately: put, ended or refused, by whom, why and when, as the topics say."""

from __future__ import annotations

import threading
from collections import deque
from typing import Literal

import msgspec
from kafka.consumer.fetcher import ConsumerRecord
from msgspec import Struct

from stream_rec.describe_rule import describe_effect, describe_target
from stream_rec.events import validate
from stream_rec.events.rejected import Rejected
from stream_rec.events.validate import InputLimits, Rejection

KEPT = 500
NEWEST = 2_000
"""Records of each partition that are read at the start."""


class RuleChange(Struct, frozen=True):
    """One record of ``rules``, or one of ``rejected`` that was about a rule."""

    at_ms: int
    """By the broker."""
    rule_id: str
    what: Literal["put", "ended", "refused"]
    author: str = ""
    text: str = ""
    """What the rule does, and why; of a refused one what was wrong with it."""


class RuleLog:
    """The newest changes. One thread takes records, any may ask."""

    def __init__(self, rules_topic: str, limits: InputLimits) -> None:
        """Begin without any; ``rules_topic`` is the full name."""
        self._rules_topic, self._limits = rules_topic, limits
        self._changes: deque[RuleChange] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Forget all: it is read again."""
        with self._lock:
            self._changes.clear()

    def take(self, record: ConsumerRecord, _is_new: bool) -> None:
        """Take one record of either topic."""
        change = self._read_put(record) if record.topic == self._rules_topic else self._read_refused(record)
        if change is not None:
            with self._lock:
                self._changes.append(change)

    def newest(self, n: int) -> list[RuleChange]:
        """Return the newest, the last first."""
        with self._lock:
            changes = list(self._changes)
        return sorted(changes, key=lambda change: -change.at_ms)[:n]

    def _read_put(self, record: ConsumerRecord) -> RuleChange | None:
        read = validate.rule_record(record.key, record.value, limits=self._limits)
        if isinstance(read, Rejection):  # the worker says so on `rejected`
            return None
        rule_id, rule = read
        if rule is None:
            return RuleChange(record.timestamp, rule_id, "ended")
        text = f"{describe_effect(rule)}: {describe_target(rule.target)} ({rule.reason})"
        return RuleChange(record.timestamp, rule_id, "put", rule.author, text)

    def _read_refused(self, record: ConsumerRecord) -> RuleChange | None:
        try:
            rejected = _DECODER.decode(record.value or b"")
        except msgspec.DecodeError:
            return None
        if rejected.origin.topic != self._rules_topic:
            return None
        rule_id = (record.key or b"").decode(errors="replace")
        return RuleChange(record.timestamp, rule_id, "refused", text=f"{rejected.reason}: {rejected.detail}")


_DECODER = msgspec.json.Decoder(Rejected)
