"""Live figures: from what processes say of themselves, once a second, to what a page shows. Plain values, no clock.

Counts are since each process began, so figures are differences. A process that was there before the first tick counts
from then on; one that begins later counts whole.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from stream_rec.events.status import EVENT_TO_LIST_BOUNDS_MS, HeadStatus, Judged, Status

KEPT_S = 600
"""Seconds of points that are kept: ten minutes."""
RATE_S, LATENCY_S, JUDGED_S = 5, 10, 60
"""Seconds over which rates, times and hit rates of a point are taken."""
QUIET_MS = 10_000
"""After so long without a word a process counts as gone."""
FORGET_MS = 600_000
"""After so long it is not shown any more."""
MOST_PROCESSES = 200
"""Shown at once, those heard of last: a bound on memory."""
HTTP_ROLES = ("serve", "dashboard")
METHODS = ("lists", "popularity", "own_items")
"""Whose lists are judged."""


class Quantiles(Struct, frozen=True):
    """Of how long lists took, in ms; None where no list was made."""

    n: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Quality(Struct, frozen=True):
    """How good one method's lists were; None where nothing was judged."""

    n: int = 0
    hit_rate: float | None = None
    ndcg: float | None = None


class Point(Struct, frozen=True):
    """One second, for charts."""

    at_ms: int
    rates: dict[str, float]
    """Records finished a second, by topic."""
    lists: float
    """A second."""
    lag: int | None
    """Records not finished yet; None where no worker says so."""
    latency: Quantiles
    judged: dict[str, Quality]
    """By method, of the last minute."""


class Process(Struct, frozen=True):
    """One process, as it says, or as it said last."""

    role: str
    instance_id: str
    version: str
    state: str
    """`starting`, `ready`, `stopping`; `gone` when nothing has come for long."""
    why: str
    partitions: int
    rss_mb: float
    cpu_share: float | None
    """Of one core, between its last two words."""
    up_s: float
    quiet_s: float
    """Since its last word."""
    encoder: str = ""
    requests_s: float | None = None
    """Requests answered a second, between its last two words; None where it answers none."""


class Weight(Struct, frozen=True):
    """One weight of the head's linear expert, in words."""

    feature: str
    text: str
    weight: float


class HeadFigures(Struct, frozen=True):
    """The head in words."""

    choices: int
    loss: float
    experts: dict[str, float]
    weights: list[Weight]
    actions: dict[str, float]
    """By type of the app's own, how much its events teach next to what their kind does."""
    drifts: int
    drifted_ms: int


class Now(Struct, frozen=True):
    """All that is known now."""

    at_ms: int
    has_workers: bool
    """Whether a worker has said something of late."""
    processes: list[Process]
    taken: dict[str, int]
    """Records finished since the present processes began, by topic."""
    lag: dict[str, int]
    rejected: dict[str, int]
    lists: int
    surfaces: int
    learned: int
    duplicates: int
    forgotten: int
    latency: Quantiles
    """Since the present workers began."""
    judged: dict[str, Quality]
    """The same."""
    items: int
    embedded: int
    users: int
    shown_items: int
    """Of several workers those of the one that has shown most."""
    coverage: float
    gini: float
    """Of several workers the mean, by their lists; so is the share of fresh items."""
    fresh_share: float
    head: HeadFigures | None


@dataclass
class _Known:
    """What was heard of one process."""

    status: Status
    heard_ms: int
    cpu_share: float | None = None
    requests_s: float | None = None


@dataclass
class _Sums:
    """What was counted since the first tick, over all processes."""

    taken: Counter[str] = field(default_factory=Counter)
    lists: int = 0
    event_to_list: Counter[int] = field(default_factory=Counter)
    judged: dict[str, Judged] = field(default_factory=dict)

    def copy(self) -> _Sums:
        return _Sums(Counter(self.taken), self.lists, Counter(self.event_to_list), dict(self.judged))


class Figures:
    """Takes what processes say, and gives a point a second and all that is known now."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._known: dict[str, _Known] = {}
        self._sums = _Sums()
        self._seconds: deque[tuple[int, _Sums]] = deque(maxlen=JUDGED_S + 1)
        self.points: deque[Point] = deque(maxlen=KEPT_S)
        """The newest last."""

    def take(self, status: Status, now_ms: int, *, is_new: bool = True) -> None:
        """Take a word of a process.

        Args:
            now_ms: By the clock of who takes it: those of processes may differ.
            is_new: Whether it was written just now; what was there before says when it was written.
        """
        key = f"{status.role}/{status.instance_id}"
        before = self._known.get(key)
        is_same = before is not None and before.status.started_ms == status.started_ms
        if before is not None and _age(status) < _age(before.status):  # it is read again
            return
        word_before = before.status if before is not None and is_same else None
        if before is not None or (is_new and self._seconds):
            self._add(word_before, status)
        heard_ms = now_ms if is_new else max(min(status.written_ms, now_ms), before.heard_ms if before else 0)
        self._known.pop(key, None)
        rates = (_cpu_share(word_before, status), _requests_s(word_before, status)) if word_before else (None, None)
        self._known[key] = _Known(status, heard_ms, *rates)  # the newest last
        while len(self._known) > MOST_PROCESSES:
            self._known.pop(next(iter(self._known)))

    def delete(self, key: str) -> None:
        """Forget a process."""
        self._known.pop(key, None)

    def tick(self, now_ms: int) -> Point:
        """Return the point of a second that is over, and keep it."""
        for key in [key for key, known in self._known.items() if now_ms - known.heard_ms > FORGET_MS]:
            del self._known[key]
        self._seconds.append((now_ms, self._sums.copy()))
        rate, latency, judged = (self._since(seconds) for seconds in (RATE_S, LATENCY_S, JUDGED_S))
        workers = self._workers(now_ms)
        methods = {
            method: _quality(_less(self._sums.judged.get(method, Judged()), judged[1].judged.get(method, Judged())))
            for method in METHODS
        }
        taken = self._sums.taken - rate[1].taken
        point = Point(
            at_ms=now_ms,
            rates={topic: n / rate[0] for topic, n in sorted(taken.items())},
            lists=(self._sums.lists - rate[1].lists) / rate[0],
            lag=sum(sum(each.lag.values()) for each in workers) if workers else None,
            latency=find_quantiles(self._sums.event_to_list - latency[1].event_to_list),
            judged=methods,
        )
        self.points.append(point)
        return point

    def now(self, now_ms: int) -> Now:
        """Return all that is known now; of processes that are gone only that they were there."""
        workers = self._workers(now_ms)
        here = [known.status for known in self._known.values() if now_ms - known.heard_ms <= QUIET_MS]
        histogram: Counter[int] = Counter()
        for worker in workers:
            histogram.update(dict(enumerate(worker.event_to_list)))
        n_lists = sum(worker.lists for worker in workers)
        return Now(
            at_ms=now_ms,
            has_workers=bool(workers),
            processes=[_process(known, now_ms) for _, known in sorted(self._known.items(), key=lambda each: each[0])],
            taken=_total(status.taken for status in here),
            lag=_total(status.lag for status in here),
            rejected=_total(status.rejected for status in here),
            lists=n_lists,
            surfaces=sum(worker.surfaces for worker in workers),
            learned=sum(worker.learned for worker in workers),
            duplicates=sum(worker.duplicates for worker in workers),
            forgotten=sum(worker.forgotten for worker in workers),
            latency=find_quantiles(histogram),
            judged={method: _quality(_sum(worker.judged.get(method) for worker in workers)) for method in METHODS},
            items=max((worker.items for worker in workers), default=0),
            embedded=max((worker.embedded for worker in workers), default=0),
            users=sum(worker.users for worker in workers),
            shown_items=max((worker.shown_items for worker in workers), default=0),
            coverage=max((worker.coverage for worker in workers), default=0.0),
            gini=sum(worker.gini * worker.lists for worker in workers) / max(n_lists, 1),
            fresh_share=sum(worker.fresh_share * worker.lists for worker in workers) / max(n_lists, 1),
            head=_head(workers),
        )

    def _workers(self, now_ms: int) -> list[Status]:
        """Return what workers say that are there."""
        return [
            known.status
            for known in self._known.values()
            if known.status.role == "worker" and now_ms - known.heard_ms <= QUIET_MS
        ]

    def _since(self, seconds: int) -> tuple[float, _Sums]:
        """Return how long ago a tick of about so many seconds before the last one was, and what was counted by then."""
        now_ms = self._seconds[-1][0]
        at_ms, sums = next(
            (each for each in reversed(self._seconds) if now_ms - each[0] >= 1000 * seconds - 500), self._seconds[0]
        )
        return max((now_ms - at_ms) / 1000, 1.0), sums

    def _add(self, before: Status | None, after: Status) -> None:
        """Count what one process has done between two of its words, or since it began."""
        sums = self._sums
        sums.taken.update(Counter(after.taken) - Counter(before.taken if before else {}))
        if after.role != "worker":
            return
        sums.lists += max(0, after.lists - (before.lists if before else 0))
        made = Counter(dict(enumerate(after.event_to_list)))
        sums.event_to_list.update(made - Counter(dict(enumerate(before.event_to_list if before else []))))
        for method, judged in after.judged.items():
            more = _less(judged, before.judged.get(method, Judged()) if before else Judged())
            sums.judged[method] = _sum([sums.judged.get(method), more])


def find_quantiles(histogram: Mapping[int, int], bounds: Sequence[float] = EVENT_TO_LIST_BOUNDS_MS) -> Quantiles:
    """Return quantiles, each within its bucket as if what is in there were evenly apart.

    >>> find_quantiles({0: 50, 1: 50}, bounds=(10, 20))
    Quantiles(n=100, p50=10.0, p95=19.0, p99=19.8)
    >>> find_quantiles({})
    Quantiles(n=0, p50=None, p95=None, p99=None)

    Args:
        histogram: Counts by number of the bucket.
        bounds: Of buckets, from above; what is in the one above them all is as long as the last bound at least.
    """
    n = sum(histogram.values())
    return Quantiles(n, *(_quantile(histogram, n, q, bounds) for q in (0.50, 0.95, 0.99))) if n else Quantiles()


def _quantile(histogram: Mapping[int, int], n: int, q: float, bounds: Sequence[float]) -> float:
    below = 0
    for bucket in sorted(histogram):
        if below + histogram[bucket] >= q * n and histogram[bucket]:
            if bucket >= len(bounds):
                break
            least = bounds[bucket - 1] if bucket else 0.0
            return round(least + (bounds[bucket] - least) * (q * n - below) / histogram[bucket], 3)
        below += histogram[bucket]
    return float(bounds[-1])


def _age(status: Status) -> tuple[int, int]:
    return status.started_ms, status.written_ms


def _quality(judged: Judged) -> Quality:
    if not judged.n:
        return Quality()
    return Quality(judged.n, judged.hits / judged.n, judged.dcg / judged.n)


def _less(after: Judged, before: Judged) -> Judged:
    if after.n < before.n:
        return after
    return Judged(after.n - before.n, max(0, after.hits - before.hits), max(0.0, after.dcg - before.dcg))


def _sum(judged: Iterable[Judged | None]) -> Judged:
    known = [each for each in judged if each is not None]
    return Judged(sum(e.n for e in known), sum(e.hits for e in known), sum(e.dcg for e in known))


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))


def _cpu_share(before: Status, after: Status) -> float | None:
    seconds = (after.written_ms - before.written_ms) / 1000
    return max(0.0, (after.cpu_s - before.cpu_s) / seconds) if seconds > 0 else None


def _requests_s(before: Status, after: Status) -> float | None:
    seconds = (after.written_ms - before.written_ms) / 1000
    if after.role not in HTTP_ROLES or seconds <= 0:
        return None
    return max(0, sum(after.requests.values()) - sum(before.requests.values())) / seconds


def _process(known: _Known, now_ms: int) -> Process:
    status, quiet_ms = known.status, max(0, now_ms - known.heard_ms)
    is_gone = quiet_ms > QUIET_MS
    return Process(
        role=status.role,
        instance_id=status.instance_id,
        version=status.version,
        state="gone" if is_gone else status.state,
        why=status.why,
        partitions=len(status.partitions),
        rss_mb=status.rss_mb,
        cpu_share=None if is_gone else known.cpu_share,
        up_s=max(0.0, (status.written_ms - status.started_ms) / 1000),
        quiet_s=quiet_ms / 1000,
        encoder=status.encoder,
        requests_s=None if is_gone else known.requests_s,
    )


def _head(workers: Sequence[Status]) -> HeadFigures | None:
    """Return the head of the worker that has heard of most choices, and the drifts of all."""
    heads = [worker.head for worker in workers if worker.head is not None]
    if not heads:
        return None
    head = max(heads, key=lambda each: each.choices)
    weights = sorted(head.features.items(), key=lambda each: -abs(each[1]))
    return HeadFigures(
        choices=head.choices,
        loss=head.loss,
        experts=head.experts,
        weights=[Weight(name, describe_feature(name), weight) for name, weight in weights],
        actions=head.actions,
        drifts=_max_drifts(heads),
        drifted_ms=max(each.drifted_ms for each in heads),
    )


def _max_drifts(heads: Sequence[HeadStatus]) -> int:
    return max(head.drifts for head in heads)


def describe_feature(name: str) -> str:
    """Return what a feature of the head says of an item, in words.

    >>> describe_feature("log_popularity_24h"), describe_feature("own_order")
    ('popular in the last 24 hours (logarithm)', 'how far back the user had it')
    """
    if name.startswith("log_"):
        return f"{describe_feature(name.removeprefix('log_'))} (logarithm)"
    if name.startswith("popularity_") and name.endswith("h"):
        return f"popular in the last {_hours(name.removeprefix('popularity_'))}"
    if name.startswith("first_choice_") and name.endswith("h"):
        return f"what new users began with in the last {_hours(name.removeprefix('first_choice_'))}"
    if name.startswith("text") and name[4:5].isdigit():
        of = {"last": "the last item", "taste": "all that the user came to"}.get(name.partition("_")[2], "the user's")
        return f"text is like {of} (encoder {name[4]})"
    return _IN_WORDS.get(name, name.replace("_", " "))


def _hours(text: str) -> str:
    hours = int(text.removesuffix("h")) if text.removesuffix("h").isdigit() else 0
    if hours == 1:
        return "hour"
    return f"{hours} hours" if hours <= 24 else f"{hours // 24} days"


_IN_WORDS = {
    "popularity": "popular ever",
    "seen_1h_ago": "anybody came to it within the hour",
    "seen_1d_ago": "anybody came to it within the day",
    "seen_7d_ago": "anybody came to it within the week",
    "conversion": "who comes to it buys it",
    "repeat_rate": "users come back to it",
    "age_6h": "new for 6 hours",
    "age_2d": "new for 2 days",
    "age_14d": "new for 14 days",
    "age_60d": "new for 60 days",
    "unseen": "nobody has come to it yet",
    "few_events": "few have come to it yet",
    "follows_last": "users go on to it from the last item",
    "follows_recent": "users go on to it from recent items",
    "precedes_last": "users came from it to the last item",
    "follows_recent_cosine": "is followed like recent items",
    "follows_wide_cosine": "is followed like items of long ago",
    "sknn": "users with like sessions came to it",
    "stan": "users with like recent sessions came to it",
    "stan_after": "they came to it after the last item",
    "came_next": "users came to it right after the last item",
    "affinity": "fits the user's factors",
    "own_count": "how often the user had it",
    "own_1d_ago": "the user had it within the day",
    "own_14d_ago": "the user had it within 14 days",
    "own_60d_ago": "the user had it within 60 days",
    "own_place": "where in the user's history it stands",
    "own_order": "how far back the user had it",
    "own": "the user had it before",
    "own_due": "the user is due to come back to it",
    "own_repeat_rate": "the user comes back to things",
    "own_category_repeat_rate": "users come back to this kind",
}
