"""A topic that says nothing before its end: reading it has failed, though no client says so."""

from __future__ import annotations

import time

from stream_rec.errors import BrokerUnavailable

SILENCE_S = 30.0
"""After so long without a record, and without the end, reading has failed."""


class Silence:
    """How long nothing has come."""

    def __init__(self, what: str, whose: str = "its") -> None:
        """Begin to listen.

        Args:
            what: What is read up to ``whose`` end: words of the message.
        """
        self._what = what
        self._whose = whose
        self._heard = time.monotonic()

    def check(self, n_records: int) -> None:
        """Take notice of how many records came.

        Raises:
            BrokerUnavailable: none, for too long.
        """
        if n_records:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > SILENCE_S:
            raise BrokerUnavailable(f"{self._what} went silent for {SILENCE_S:g} s before {self._whose} end")
