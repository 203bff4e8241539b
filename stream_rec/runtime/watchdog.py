"""The watchdog: ends a process that looks alive and does nothing, so that its supervisor can start it again.

Faust never asks aiokafka's coordinator for its errors, so that one group error parks it for ever, and a broker that
died and came back can leave it waiting for a coordinator that it never finds. Neither raises, neither logs. Seen from
a thread of its own, because the event loop may be what hangs.

Rules, looked at every second: the coordinator has an error; no coordinator is known for ``LOST_S``, or for ``ABSENT_S``
where a broker keeps answering who it is, or that there is none; the consumer's loop does not answer for ``MUTE_S``;
the process is not ready in time; stopping takes longer than ``STOP_S``, whether it was asked for or is the end of
something that failed.

All of it is running time (``running_time.py``): a process that gets no CPU is slow, and to start it again would only
make it slower.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

import faust

from stream_rec.runtime.ending import end_process
from stream_rec.runtime.running_time import RunningTime

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
LOST_S = 10.0
ABSENT_S = 60.0
"""A new or starved broker may take so long to set up its groups. Until then it names a coordinator that refuses whoever
joins, or none; a new process would hear the same."""
MUTE_S = 15.0
ANSWER_S = 2.0
"""How long one probe of the consumer's loop waits."""
STOP_S = 9.0


class Watchdog(threading.Thread):
    """Probes one Faust app from the outside. ``end`` is what it does about it; tests give another."""

    def __init__(
        self,
        app: faust.App,
        *,
        ready_timeout_s: float,
        end: Callable[[int], None] = os._exit,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._clock = clock or RunningTime(INTERVAL_S + ANSWER_S)
        self._app = app
        self._ready_timeout_s = ready_timeout_s
        self._end = end
        self._over = threading.Event()
        self._stopping_since: float | None = None
        self._absent_since: float | None = None
        self._lost_since: float | None = None
        self._n_answers = 0
        self._mute_since: float | None = None
        self.is_ready = threading.Event()

    @property
    def is_stopping(self) -> bool:
        """Whether the process stops."""
        return self._stopping_since is not None

    def stopping(self) -> None:
        """Note that the process stops: from now on only that is watched."""
        if self._stopping_since is None:
            self._stopping_since = self._clock()

    def finish(self) -> None:
        """End the watch."""
        self._over.set()

    def run(self) -> None:
        """Look every second until something is wrong or the watch is over."""
        began = self._clock()
        while not self._over.wait(INTERVAL_S):
            if complaint := self._complaint(self._clock(), began):
                end_process(self._end, log, "watchdog_ended_process why=%s", complaint)
                return

    def _complaint(self, now: float, began: float) -> str | None:
        if self._app.should_stop:
            self.stopping()
        if self._stopping_since is not None:
            return f"stopping for {STOP_S:.0f} s" if now - self._stopping_since > STOP_S else None
        if not self.is_ready.is_set() and now - began > self._ready_timeout_s:
            return f"not ready after {self._ready_timeout_s:.0f} s"
        try:
            found, n_answers = self._probe()
        except FutureTimeout:
            self._mute_since = now if self._mute_since is None else self._mute_since
            return "the consumer's loop does not answer" if now - self._mute_since > MUTE_S else None
        except Exception as error:
            return f"coordinator error {error!r}"
        self._mute_since = None
        if found:
            self._absent_since = self._lost_since = None
            return None
        if self._absent_since is None:
            self._absent_since = now
        if self._lost_since is None or n_answers != self._n_answers:
            self._lost_since, self._n_answers = now, n_answers
        if now - self._lost_since > LOST_S:
            return f"no group coordinator known for {LOST_S:.0f} s"
        if now - self._absent_since > ABSENT_S:
            return f"no group coordinator for {ABSENT_S:.0f} s, though a broker answers"
        return None

    def _probe(self) -> tuple[bool, int]:
        """Return whether the coordinator is known, and how often a broker has answered who it is.

        Known it is, too, as long as there is no consumer to know it. Raises what the coordinator suffered.
        """
        thread = getattr(self._app.consumer, "_thread", None) if self._app.started else None
        consumer = getattr(thread, "_consumer", None)
        coordinator = getattr(consumer, "_coordinator", None)
        if thread is None or coordinator is None or not thread.thread_loop.is_running():
            return True, 0

        found: Future[tuple[bool, int]] = Future()

        def look() -> None:
            try:
                coordinator.check_errors()
                found.set_result((coordinator.coordinator_id is not None, thread.n_answers))
            except Exception as error:
                found.set_exception(error)

        thread.thread_loop.call_soon_threadsafe(look)
        return found.result(timeout=ANSWER_S)
