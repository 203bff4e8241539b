"""Keeps a target equal to its topics until it is told to stop, whatever is down meanwhile.

Where target or broker does not answer it tries again, after a second at first and half a minute at most, and goes on
from the target's bookmark. Where somebody else has turned the bookmark another process writes to the same target: once,
that may be a try of our own that came late; twice in a short time, and it stands by until nobody has turned it for a
while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing

from stream_rec.errors import (
    BrokerUnavailable,
    LoginRefused,
    SettingsError,
    StateVersionError,
    StreamRecError,
    TargetUnavailable,
    UnreadableRecords,
)
from stream_rec.sink.copying import LOOK_MS, Copier, CopyCounts, Source
from stream_rec.sink.target import BookmarkChanged, Target

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = 30.0
FETCH_S = 0.5
"""How long it waits for a record before it looks at the rest."""
STILL_S = 4 * LOOK_MS / 1000
"""A bookmark that has not changed for so long has nobody who changes it: who does writes it every ``LOOK_MS``."""
STUCK_S = 120.0
"""After so long without coming to an end of anything it is stuck."""
SUMMARY_S = 10.0
FOR_A_PERSON = (SettingsError, StateVersionError, UnreadableRecords)
"""Trying again mends none of these."""


class Keeper:
    """Keeps one target equal to its topics. ``run`` is for one thread; the rest may be called from any."""

    def __init__(
        self,
        open_source: Callable[[], AbstractContextManager[Source]],
        target: Target,
        topics: Mapping[str, str],
        *,
        still_s: float = STILL_S,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        """Say from where to where.

        Args:
            open_source: Connects to the broker, for as long as the context lasts.
            topics: Full names of the topics, and their names without prefix.
        """
        self._open_source, self._target, self._topics = open_source, target, topics
        self._still_s, self._first_pause_s = still_s, first_pause_s
        self._stop = threading.Event()
        self._copier: Copier | None = None
        self._trouble = "begins"
        self.stands_by = False
        """Whether another process writes to the target, and this one waits for it to end."""
        self._has_begun = False
        self._changed_at = float("-inf")
        self._turned_at = time.monotonic()
        self._said_at = time.monotonic()
        self._said = 0
        self.counts = CopyCounts()
        self.n_failures = 0
        """How often the target did not do what it was asked."""

    @property
    def lag(self) -> dict[str, int]:
        """Records that are not in the target yet, by topic without prefix."""
        return {} if self._copier is None else self._copier.lag

    def find_why_not_ready(self) -> str:
        """Return in words why the target may not be equal to the topics; "" where it is, but for what just came.

        One that stands by is ready to do so: the other one says how the target is.
        """
        if self._trouble or self._copier is None:
            return self._trouble
        if self.stands_by:
            return ""
        if (seconds := time.monotonic() - self._turned_at) > STUCK_S:
            return f"nothing has come to an end for {seconds:.0f} s"
        return "" if self._copier.is_current else f"copies what is there: {self._copier.n_open} records to go"

    def stop(self) -> None:
        """Have ``run`` end, after what it is at."""
        self._stop.set()

    def run(self) -> None:
        """Copy until ``stop``.

        Raises:
            StreamRecError: a person must mend something; or, at the beginning, the broker refuses what is needed.
        """
        pause_s = self._first_pause_s
        while not self._stop.is_set():
            n_before = self.counts.taken.total()
            try:
                self._keep()
            except StreamRecError as error:
                if self._is_for_a_person(error):
                    raise
                if self.counts.taken.total() > n_before:
                    pause_s = self._first_pause_s
                self.n_failures += isinstance(error, TargetUnavailable)
                self._trouble = str(error)
                log.warning("sink_waits seconds=%g why=%s", pause_s, error)
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, MOST_PAUSE_S)

    def _is_for_a_person(self, error: StreamRecError) -> bool:
        if isinstance(error, FOR_A_PERSON):
            return True
        passes = isinstance(error, TargetUnavailable | BrokerUnavailable) and not isinstance(error, LoginRefused)
        return not self._has_begun and not passes

    def _keep(self) -> None:
        """Copy from new connections until one of them fails."""
        with closing(self._target):
            self._target.open()
            with self._open_source() as source:
                self._copier = copier = Copier(source, self._target, self._topics, self.counts, now_ms=_now_ms)
                while not self._stop.is_set():
                    try:
                        self._copy(copier)
                    except BookmarkChanged:
                        self._yield_to_others()

    def _copy(self, copier: Copier) -> None:
        copier.resume()
        self._has_begun = True
        while not self._stop.is_set():
            self._trouble = ""
            self._turned_at = time.monotonic()
            copier.step(FETCH_S)
            self._summarize(copier)

    def _yield_to_others(self) -> None:
        """Where the bookmark has changed before, a short time ago, return when it has been still for long enough."""
        changed_at, self._changed_at = self._changed_at, time.monotonic()
        if self._changed_at - changed_at > self._still_s:
            return
        self.stands_by, self._trouble = True, ""
        log.warning("stands_by still_s=%g", self._still_s)
        try:
            self._wait_until_still()
        finally:
            self.stands_by = False

    def _wait_until_still(self) -> None:
        seen, since = self._target.read_bookmark(), time.monotonic()
        while not self._stop.wait(min(1.0, self._still_s / 4)):
            if (bookmark := self._target.read_bookmark()) != seen:
                seen, since = bookmark, time.monotonic()
            elif time.monotonic() - since > self._still_s:
                log.warning("takes_over")
                return

    def _summarize(self, copier: Copier) -> None:
        counts, now = self.counts, time.monotonic()
        if now - self._said_at < SUMMARY_S:
            return
        if (taken := counts.taken.total()) > self._said:
            log.info(
                "copied records=%d written=%d deleted=%d rejected=%d lag=%d interval_s=%.1f",
                taken - self._said,
                counts.written.total(),
                counts.deleted.total(),
                counts.rejected.total(),
                sum(copier.lag.values()),
                now - self._said_at,
            )
        self._said, self._said_at = taken, now


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
