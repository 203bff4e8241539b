"""Lists for a user, a catalog and a head."""

from __future__ import annotations

from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.item import Item
from stream_rec.events.slate import SlateItem
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.features import NAMES
from stream_rec.ranking.head import Head
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend.make_list import recommend
from stream_rec.recommend.rank import rank
from stream_rec.recommend.ranked import Ranked
from stream_rec.retrieval.candidates import Workspace
from stream_rec.surface_settings import HOME
from stream_rec.user.state import UserState
from tests.catalog.stock import NEW, OLD, embedded, stocked, taught
from tests.ranking.heads import giving_fresh_slots, preferring
from tests.user.histories import arrivals, folded, happened

NOW_MS = 5 * 7 * 86_400_000
PLAIN = RankingConfig(diversity=0, explore_share=0, fresh_worth=0, tail_every=0)
ITEMS = [f"i{n}" for n in range(10)]
POPULAR = preferring(popularity=1)
USUAL = preferring(popularity=1, own=4, follows_last=3, stan=2, text1_last=1)
SHARED = Workspace()


def ranked_for(
    user: UserState,
    catalog: Catalog,
    head: Head = USUAL,
    *,
    user_id: str = "u",
    workspace: Workspace | None = None,
    surface: str = HOME,
    age: int | None = None,
) -> Ranked:
    return rank(user_id, user, catalog, head, workspace or Workspace(), now_ms=NOW_MS, surface=surface, age=age)


def made(
    user: UserState,
    catalog: Catalog,
    config: RankingConfig = PLAIN,
    head: Head = USUAL,
    *,
    request: str = "1",
    workspace: Workspace | None = None,
    surface: str = HOME,
    user_id: str = "u",
    age: int | None = None,
) -> list[SlateItem]:
    ranked = ranked_for(user, catalog, head, user_id=user_id, workspace=workspace, surface=surface, age=age)
    return recommend(ranked, catalog, head, config, Exposures(), request)


def listed(user: UserState, catalog: Catalog, config: RankingConfig = PLAIN, head: Head = USUAL) -> list[str]:
    return [item.item_id for item in made(user, catalog, config, head)]


def viewer(*item_ids: str) -> UserState:
    return folded(arrivals([happened(NOW_MS + at, item_id) for at, item_id in enumerate(item_ids)]))


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Return a catalog after any changes: items with and without text, record, knowledge; some deleted."""
    catalog = Catalog()
    item = st.sampled_from(ITEMS)
    for item_id, change, number in draw(st.lists(st.tuples(item, st.integers(0, 6), st.integers(1, 50)), max_size=40)):
        match change:
            case 0 | 1:
                category = "abc"[number % 3] if change else ""
                catalog.put_item(Item(item_id, category=category, available=number > 5))
            case 2:
                catalog.delete_item(item_id)
            case 3:
                catalog.put_embedding(item_id, embedded([1, number], OLD if number < 40 else NEW))
            case 4:
                catalog.delete_embedding(item_id)
            case _:
                before = draw(st.dictionaries(st.sampled_from([*ITEMS, "gone"]), st.integers(-2, 12), max_size=4))
                users = draw(st.dictionaries(st.sampled_from("uvw"), st.integers(0, NOW_MS), max_size=3))
                times = range(NOW_MS - number, NOW_MS)
                catalog.put_knowledge(item_id, taught(*times, predecessors=before, users=users, repeats=number // 2))
    return catalog


heads = st.builds(
    lambda share, weights: giving_fresh_slots(preferring(**weights), share),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.dictionaries(st.sampled_from(NAMES), st.floats(-3, 3), max_size=8),
)
configs = st.builds(
    RankingConfig,
    n=st.integers(1, 8),
    diversity=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    explore_share=st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0]),
    fresh_worth=st.sampled_from([0.0, 3.0]),
    fresh_budget=st.sampled_from([0.0, 0.003, 1.0]),
    tail_every=st.integers(0, 2),
)


def crowd() -> Catalog:
    """Return 30 popular items, p0 most of all, and 15 fresh ones: f14 was seen last."""
    catalog = stocked(*(f"p{n}" for n in range(30)), *(f"f{n}" for n in range(15)))
    for n in range(30):
        catalog.put_knowledge(f"p{n}", taught(*[NOW_MS] * (40 - n)))
    for n in range(15):
        catalog.put_knowledge(f"f{n}", taught(NOW_MS - 3_600_000 * (15 - n)))
    return catalog
