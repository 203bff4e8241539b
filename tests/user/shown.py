"""Impressions, searches and events of one user, and what must be chosen from what, by looking at every impression for
every event."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from hypothesis import strategies as st

from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Kind
from stream_rec.events.source import Source
from stream_rec.knowledge.signal import Signal
from stream_rec.knowledge.slots import slot_of, usual_examination
from stream_rec.user import seen
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import SHOWN_PERIOD_MS, WEEK_MS
from tests.user import asked
from tests.user.asked import TIMES_MS, came, logged

WIDE = UserConfig(
    recent_events=64,
    recent_searches=64,
    recent_impressions=64,
    weekly_training_events=1000,
    training_impressions=1000,
)
"""Nothing leaves it, and everything teaches."""
NARROW = UserConfig(
    recent_events=16,
    recent_searches=3,
    recent_impressions=3,
    weekly_counts=16,
    weekly_training_events=1000,
    training_impressions=1000,
)
Did = tuple[Source, Impression] | asked.Did
SHOWN, CHOSEN = "shown", "chosen"
Taught = Counter[tuple[str, str, int]]
"""By (``SHOWN`` or ``CHOSEN``, item, slot) how often."""
Slots = Mapping[tuple[str, str], int | None]
"""By (id of an impression, item) its slot, None where others do not learn from it."""
POSITIONS = [1, 2, 3, 5, 6, 7, 12, 100_000]


def shown(at_ms: int, *item_ids: str, first: int = 1, event_id: str = "") -> Did:
    """Return an impression of items in slots one after another; its id says when and what it was unless given."""
    items = [ShownItem(item_id, position) for position, item_id in enumerate(item_ids, first)]
    return Source.IMPRESSION, Impression(event_id or f"{at_ms}-{item_ids}-{first}", "u", "", items, at_ms)


@st.composite
def impressions(draw: st.DrawFn, items: Sequence[str], times_ms: Sequence[int] = TIMES_MS) -> Impression:
    """Return an impression of a few items, in slots near and far."""
    item_ids = draw(st.lists(st.sampled_from(items), min_size=1, max_size=3, unique=True))
    n = len(item_ids)
    positions = draw(st.lists(st.sampled_from(POSITIONS), min_size=n, max_size=n, unique=True))
    return Impression("", "u", "", list(map(ShownItem, item_ids, positions)), draw(st.sampled_from(times_ms)))


@st.composite
def logs(draw: st.DrawFn, *, max_size: int = 40, n_items: int = 4) -> list[Arrival]:
    """Return what one user did and saw, each once, in the order of arrival, which is nearly any."""
    items = [f"i{number}" for number in range(n_items)]
    event = st.tuples(st.sampled_from(list(Kind)), st.sampled_from(TIMES_MS), st.sampled_from(items))
    search = st.tuples(st.just(Source.SEARCH), st.sampled_from(TIMES_MS), st.sampled_from([None, *items]))
    drawn = draw(st.lists(st.one_of(event, event, impressions(items), impressions(items), search), max_size=max_size))
    did: list[Did] = []
    for number, each in enumerate(drawn):
        event_id = f"e{number * 7919 % 101:03}"
        if isinstance(each, Impression):
            did.append(
                (Source.IMPRESSION, Impression(event_id, "u", each.list_id, each.items, each.timestamp_ms)),
            )
        elif each[0] == Source.SEARCH:
            did.append(asked.asked(each[1], "red", each[2], event_id=event_id))
        else:
            did.append(came(each[1], each[2], Source(each[0]), event_id=event_id))
    return logged(did)


def impressions_of(arrived: Iterable[Arrival]) -> list[Arrival]:
    """Return the impressions."""
    return [one for one in arrived if one.source == Source.IMPRESSION]


def events_of(arrived: Iterable[Arrival]) -> list[Arrival]:
    """Return the interactions."""
    return [one for one in arrived if one.source < Source.SEARCH]


def others_of(arrived: Iterable[Arrival]) -> list[Arrival]:
    """Return what is no impression and no profile: of it ``asked.py`` says what answers what."""
    return [one for one in arrived if one.source not in (Source.IMPRESSION, Source.PROFILE)]


def shown_in(arrived: Iterable[Arrival]) -> list[tuple[Impression, ShownItem]]:
    """Return every item that was shown, in the order of arrival."""
    return [(one.event, each) for one in impressions_of(arrived) for each in one.event.items]


def all_slots(arrived: Iterable[Arrival]) -> Slots:
    """Return every slot: all teach."""
    return {(event.event_id, each.item_id): slot_of(each.position) for event, each in shown_in(arrived)}


def what_is_kept(shown_on: Iterable[tuple[int, str]], bound: int, user_id: str = "") -> set[tuple[int, str]]:
    """Return of (day, item) those of which counts are kept: the newest day, and all before it that fit too, whole."""
    by_day = defaultdict(set)
    for day, item_id in shown_on:
        by_day[day].add(item_id)
    kept: set[tuple[int, str]] = set()
    for day in sorted(by_day, reverse=True):
        if not kept:
            item_ids = sorted(
                by_day[day], key=lambda item_id: seen.digest_of((f"{user_id}/{day}/" if user_id else "") + item_id)
            )[:bound]
        elif len(kept) + len(by_day[day]) <= bound:
            item_ids = sorted(by_day[day])
        else:
            break
        kept |= {(day, item_id) for item_id in item_ids}
        if len(by_day[day]) > bound:
            break
    return kept


def teaching_slots(arrived: Iterable[Arrival], often: int, bound: int, uncounted: int) -> Slots:
    """Return the slots from which others learn where so many teach in a period, and so many that find no room."""
    slots: dict[tuple[str, str], int | None] = {}
    so_far: list[tuple[int, str]] = []
    n_uncounted, newest = 0, -1
    for event in (one.event for one in impressions_of(arrived)):
        period = event.timestamp_ms // SHOWN_PERIOD_MS
        so_far += [(period, each.item_id) for each in event.items]
        kept = what_is_kept(so_far, bound, "u")
        if period > newest:
            n_uncounted, newest = 0, period
        for each in event.items:
            key = period, each.item_id
            teaches = so_far.count(key) <= often if key in kept else n_uncounted < uncounted
            n_uncounted += key not in kept
            slots[event.event_id, each.item_id] = slot_of(each.position) if teaches else None
    return slots


def teaching_events(arrived: Iterable[Arrival], a_week: int) -> set[str]:
    """Return the ids of those events from which others learn."""
    alike: Counter[tuple] = Counter()
    teaching = set()
    for one in events_of(arrived):
        key = one.source, one.event.item_id, one.event.timestamp_ms // WEEK_MS
        alike[key] += 1
        if alike[key] <= a_week:
            teaching.add(one.event.event_id)
    return teaching


def what_is_converted(arrived: Iterable[Arrival], teaching: Collection[str] | None = None) -> set[tuple[str, str]]:
    """Return as (id of an impression, item) what was chosen from where, of all that came in any order.

    Args:
        teaching: Ids of the events that count; None where all do.
    """
    arrived = list(arrived)
    converted = set()
    for one in events_of(arrived):
        event = one.event
        if teaching is not None and event.event_id not in teaching:
            continue
        before = [
            (each.event.timestamp_ms, each.event.event_id)
            for each in impressions_of(arrived)
            if each.event.timestamp_ms <= event.timestamp_ms
            and any(item.item_id == event.item_id for item in each.event.items)
        ]
        if before and event.timestamp_ms - max(before)[0] <= 30 * 60_000:
            converted.add((max(before)[1], event.item_id))
    return converted


def what_is_chosen(arrived: Iterable[Arrival], slots: Slots, teaching: Collection[str] | None = None) -> Taught:
    """Return the same as items learn it."""
    chosen: Taught = Counter()
    for event_id, item_id in what_is_converted(arrived, teaching):
        slot = slots[event_id, item_id]
        if slot is not None:
            chosen[CHOSEN, item_id, slot] += 1
    return chosen


def what_is_shown(slots: Slots) -> Taught:
    """Return how often items were shown where, as they learn it."""
    return Counter((SHOWN, item_id, slot) for (_, item_id), slot in slots.items() if slot is not None)


def chosen_by_arrival(
    arrived: Iterable[Arrival],
    n_events: int,
    n_impressions: int,
    slots: Slots,
    teaching: Collection[str] | None = None,
) -> Taught:
    """Return what is chosen of what came in this order, where so many are remembered: by what each arrival changes."""
    total: Taught = Counter()
    kept: dict[bool, list[Arrival]] = {False: [], True: []}
    for new in _without_searches(arrived):
        is_impression = new.source == Source.IMPRESSION
        # Of impressions as old as the oldest event, where some have left, it is not known what was chosen from them.
        oldest_ms = kept[False][0].event.timestamp_ms if len(kept[False]) == n_events else -1
        before = [*kept[False], *(one for one in kept[True] if one.event.timestamp_ms > oldest_ms)]
        together = sorted([*kept[is_impression], new], key=lambda one: (one.event.timestamp_ms, one.event.event_id))
        kept[is_impression] = together[-(n_impressions if is_impression else n_events) :]
        is_known = not is_impression or new.event.timestamp_ms > oldest_ms
        if new in kept[is_impression] and is_known:
            total.update(what_is_chosen([*before, new], slots, teaching))
            total.subtract(what_is_chosen(before, slots, teaching))
    return without_zeros(total)


def counts_of(arrived: Iterable[Arrival], bound: int) -> list[tuple[int, str, int, int, int]]:
    """Return (day, item, times shown, summed hundredths, the latest time) of what is kept, in order."""
    arrived = list(arrived)
    of_key = defaultdict(list)
    for event, each in shown_in(arrived):
        of_key[event.timestamp_ms // SHOWN_PERIOD_MS, each.item_id].append((event.timestamp_ms, each.position))
    return sorted(
        (
            *key,
            len(of_key[key]),
            sum(round(100 * usual_examination(position)) for _, position in of_key[key]),
            max(at_ms for at_ms, _ in of_key[key]),
        )
        for key in what_is_kept(of_key, bound, "u")
    )


def what_signals_say(signals: Iterable[Signal]) -> Taught:
    """Return the sum of all that signals say of slots."""
    total: Taught = Counter()
    for signal in signals:
        if signal.shown >= 0:
            total[SHOWN, signal.item_id, signal.shown] += 1
        for slot, change in signal.chosen:
            total[CHOSEN, signal.item_id, slot] += change
    return without_zeros(total)


def without_zeros(total: Taught) -> Taught:
    """Return what is something."""
    return Counter({key: n for key, n in total.items() if n})


def _without_searches(arrived: Iterable[Arrival]) -> list[Arrival]:
    """Return events and impressions."""
    return [one for one in arrived if one.source not in (Source.SEARCH, Source.PROFILE)]
