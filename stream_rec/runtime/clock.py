"""This machine's clock against the broker's: what depends on time goes wrong where they differ by far.

The broker refuses records from more than an hour ahead, and drops those from far behind as soon as it has them, where
a topic keeps records for a time: signals would be lost before anybody reads them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from aiokafka.errors import InvalidTimestampError

from stream_rec.errors import ClockOff

log = logging.getLogger(__name__)

MOST_OFF_MS = 3_600_000
"""Kafka's own limit for what is ahead (`message.timestamp.after.max.ms`)."""


def require_same_time(broker_ms: int, here_ms: int | None = None) -> None:
    """Return where the broker's time, just taken, and ours are less than an hour apart.

    Raises:
        ClockOff: they are not; that is logged, too.
    """
    here_ms = time.time_ns() // 1_000_000 if here_ms is None else here_ms
    if abs(here_ms - broker_ms) > MOST_OFF_MS:
        raise clock_off(broker_ms, here_ms)


@contextmanager
def named_clock() -> Iterator[None]:
    """Call it by its name where the broker does not take records for their time.

    Raises:
        ClockOff: it does not; that is logged, too.
    """
    try:
        yield
    except InvalidTimestampError as error:
        raise clock_off(None, time.time_ns() // 1_000_000) from error


def clock_off(broker_ms: int | None, here_ms: int) -> ClockOff:
    """Return the error for clocks that differ, and log it. Where the broker only refused, its time is not known."""
    if broker_ms is None:
        what = f"is ahead of the broker's by more than it allows: it is {_moment(here_ms)} here"
    else:
        by_s = abs(here_ms - broker_ms) / 1000
        by = f"{by_s / 86_400:.1f} days" if by_s > 2 * 86_400 else f"{by_s / 3600:.1f} hours"
        what = f"is {by} {'ahead of' if here_ms > broker_ms else 'behind'} the broker's: "
        what += f"it is {_moment(here_ms)} here, and {_moment(broker_ms)} there"
    message = f"the clock of this machine {what}. Set the one that is wrong, best by NTP; nothing is lost meanwhile"
    log.error("clock_off why=%s", message)
    return ClockOff(message)


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
