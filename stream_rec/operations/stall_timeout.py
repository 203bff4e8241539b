"""A topic that says nothing before its end: reading it has failed, though no client says so."""

from __future__ import annotations

import time

from stream_rec.errors import BrokerUnavailable

STALL_TIMEOUT_S = 30.0
"""After so long without coming further, and without the end, reading has failed."""


class StallTimeout:
    """How long reading has not come further."""

    def __init__(self, what: str, whose: str = "its") -> None:
        """Begin to listen.

        Args:
            what: What is read up to ``whose`` end: words of the message.
        """
        self._what = what
        self._whose = whose
        self._heard = time.monotonic()
        self._reached = -1

    def check(self, reached: int) -> None:
        """Take in how far reading has come, which is further also where what was aborted brings no records.

        Raises:
            BrokerUnavailable: no further, for too long.
        """
        if reached > self._reached:
            self._heard, self._reached = time.monotonic(), reached
        elif time.monotonic() - self._heard > STALL_TIMEOUT_S:
            raise BrokerUnavailable(f"{self._what} stalled for {STALL_TIMEOUT_S:g} s before {self._whose} end")
