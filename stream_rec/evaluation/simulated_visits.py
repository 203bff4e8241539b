"""When simulated users come: in sessions, some minutes from list to list, and hours or days from session to session.

Sessions begin independently of one another, so that a user's pauses are exponential; how often a user comes is that of
the log (``SimulatedUsers.activity``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.evaluation.simulated_users import SimulatedUsers

LEAST_GAP_MS = 1_000
"""Between any two visits: what is chosen in one comes before the next."""


class VisitConfig(Struct, frozen=True, kw_only=True):
    """How visits lie in time."""

    lists_per_session: float = 3.0
    """On average; geometric, at least one."""
    gap_s: float = 90.0
    """From one list of a session to the next, on average; exponential."""
    pause_h: float = 72.0
    """From one session of a user to the next, on average over users."""


@dataclass(frozen=True, slots=True)
class Visits:
    """One list each, in order of time."""

    users: NDArray[np.int64]
    """(v,) user numbers."""
    times_ms: NDArray[np.int64]
    """(v,) ascending, ``LEAST_GAP_MS`` apart or more."""

    def __len__(self) -> int:
        """Return the number of visits."""
        return len(self.users)


DEFAULT = VisitConfig()


def plan_visits(users: SimulatedUsers, n_lists: int, *, seed: int, config: VisitConfig = DEFAULT) -> Visits:
    """Return ``n_lists`` visits from the end of the warm-up on."""
    rng = np.random.default_rng([seed, n_lists])
    sizes = rng.geometric(1.0 / config.lists_per_session, n_lists)
    sizes = sizes[: np.searchsorted(np.cumsum(sizes), n_lists) + 1]
    session = np.repeat(np.arange(len(sizes)), sizes)
    span_ms = len(sizes) / len(users.user_ids) * config.pause_h * 3_600_000
    begins_ms = rng.uniform(0, span_ms, len(sizes))
    gaps_ms = np.cumsum(rng.exponential(config.gap_s * 1000, len(session)))
    firsts = np.cumsum(sizes) - sizes
    times_ms = begins_ms[session] + gaps_ms - gaps_ms[firsts][session]
    of_session = rng.choice(len(users.user_ids), len(sizes), p=users.activity)
    order = np.argsort(times_ms[:n_lists], kind="stable")
    least_ms = LEAST_GAP_MS * np.arange(1, n_lists + 1)
    apart_ms = np.maximum.accumulate(times_ms[order].astype(np.int64) - least_ms) + least_ms
    return Visits(of_session[session[order]], users.begin_ms + LEAST_GAP_MS + apart_ms)
