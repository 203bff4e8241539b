"""Surfaces that are pushed go out with their user's list, and are kept fresh as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from stream_rec.catalog import world as worlds
from stream_rec.config import Settings, override
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.surfaces import Surfaces
from stream_rec.pipeline import Pipeline
from stream_rec.runtime.clients import new_app
from stream_rec.runtime.lease import Lease
from stream_rec.stages import upkeep as upkeeping
from stream_rec.stages.default_list import DefaultList
from stream_rec.surface_lists import record_of
from stream_rec.user import state as user_state
from tests.stages.kept import USERS, Kept, Record, with_share
from tests.stages.stage import ITEMS, SETTINGS, Stage, event, message
from tests.stages.test_erasure import request

DECLARED = {
    "discover": {"base": "discover", "n": 6, "push": True},
    "popular": {"base": "trending", "n": 3, "push": True},
    "cheap": {"base": "home", "n": 8, "price_max": 3, "push": True},
    "elsewhere": {"base": "new", "n": 8},
}
PUSHED = ["discover", "popular", "cheap"]


def declaring(declared: dict, settings: Settings = SETTINGS) -> Settings:
    return override(settings, {"surfaces.declared": declared})


def run(tmp_path: Path, scenario: Callable, declared: dict = DECLARED) -> None:
    """Run a scenario with a stage that pushes surfaces; its items have prices."""

    async def with_stage() -> None:
        stage = Stage(tmp_path, declaring(declared))
        for number, item_id in enumerate(ITEMS):
            stage.recommender.catalog.put_item(Item(item_id, attributes={"price": number}))
        await scenario(stage)

    asyncio.run(with_stage())


def ids(made: Surfaces | None) -> dict[str, list[str]]:
    return {} if made is None else {each.surface: [item.item_id for item in each.items] for each in made.surfaces}


def is_shown(item_id: str, made: Surfaces) -> bool:
    return any(item_id in item_ids for item_ids in ids(made).values())


def kept(stage: Stage, user: str) -> Surfaces | None:
    partition = stage.lists_of("surfaces")
    number = partition.shown.find(user.encode())
    return None if number is None else partition.made(number)


def test_they_go_out_with_the_list_and_after_it(tmp_path: Path):
    """In one commit, by the same key, of the same event and of all that the list has seen."""

    async def scenario(stage: Stage) -> None:
        batch = await stage.handle(*map(message, range(7)))
        topics = [(topic, key) for topic, key, _ in batch.sent if topic in ("recommendations", "surfaces")]
        users = [slate.user_id.encode() for slate in batch.lists]
        assert topics == [(topic, user) for topic in ("recommendations", "surfaces") for user in users]
        for slate, surfaces in zip(batch.lists, batch.surfaces):
            assert [each.surface for each in surfaces.surfaces] == PUSHED
            assert (surfaces.user_id, surfaces.as_of, surfaces.seen) == (slate.user_id, slate.as_of, slate.seen)
            assert (surfaces.policy, surfaces.generated_at_ms) == (slate.policy, slate.generated_at_ms)
            assert set(ids(surfaces)["cheap"]) <= set(ITEMS[:4])
            assert kept(stage, slate.user_id) == surfaces

    run(tmp_path, scenario)


def test_without_any_that_is_pushed_nothing_is_sent(tmp_path: Path):
    """As before there were any."""

    async def scenario(stage: Stage) -> None:
        batch = await stage.handle(*map(message, range(7)))
        assert batch.lists and "surfaces" not in {topic for topic, _, _ in batch.sent}

    run(tmp_path, scenario, {"elsewhere": DECLARED["elsewhere"]})


def test_they_are_those_of_the_replay_to_the_byte(tmp_path: Path):
    """Of the same events: from a user's state as the table has it, and from the brokerless one."""

    async def scenario(stage: Stage) -> None:
        pipeline = Pipeline(declaring(DECLARED))
        for number, item_id in enumerate(ITEMS):
            pipeline.catalog.put_item(Item(item_id, attributes={"price": number}))
        lists, as_of = {}, {}
        for number in range(40):
            batch = await stage.handle(message(number))
            one = event(number)
            lists[one.user_id] = pipeline.list_for(Kind.VIEW, one, pipeline.learn(Kind.VIEW, one))
            as_of[one.user_id] = batch.surfaces[0].as_of
        for user_id, made in lists.items():
            state = user_state.decode(stage.table[user_id.encode()])
            found = stage.pushed.make(user_id, state, as_of[user_id])
            expected = pipeline.surfaces_beside(made, pipeline.users[user_id])
            assert msgspec.json.encode(found) == msgspec.json.encode(expected)
            assert any(ids(found).values())

    run(tmp_path, scenario)


def run_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Callable, *, share: float = 0.0) -> None:
    """Run a scenario with surfaces that are kept fresh, all in one step."""
    monkeypatch.setattr(upkeeping, "WITHIN_S", 0.0)
    monkeypatch.setattr(upkeeping, "LONGEST_S", 1e9)
    monkeypatch.setattr(upkeeping, "CHOOSE_S", 0.0)
    monkeypatch.setattr(upkeeping, "SLICE_S", 10.0)

    async def with_kept(stage: Stage) -> None:
        await scenario(Kept(stage, with_share(share, declaring(DECLARED))))

    run(tmp_path, with_kept)


def test_what_is_gone_leaves_every_surface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Once for each record that showed it, the rest to the byte what it would have been without."""

    async def scenario(kept_: Kept) -> None:
        await kept_.begin()
        stage = kept_.stage
        before = {f"u{n}": kept(stage, f"u{n}") for n in range(USERS)}
        stage.recommender.catalog.delete_item("i1")
        assert await kept_.upkeep.step()
        sent = {user: made for user, made, _ in kept_.producer.surfaces}
        assert sent.keys() == {user for user, made in before.items() if is_shown("i1", made)}
        assert len(sent) == len(kept_.producer.surfaces) > 1
        for user, made in sent.items():
            was = before[user]
            left = [(each.surface, [i for i in each.items if i.item_id != "i1"]) for each in was.surfaces]
            assert (
                made
                == kept(stage, user)
                == record_of(
                    user, left, policy=was.policy, generated_at_ms=made.generated_at_ms, as_of=was.as_of, seen=was.seen
                )
            )
        assert not await kept_.upkeep.step()

    run_kept(tmp_path, monkeypatch, scenario)


def test_what_is_gone_comes_back_with_those_that_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In the budget of lists; what would be the same is not sent, and a short one is not taken for outdated."""

    async def scenario(kept_: Kept) -> None:
        await kept_.begin()
        stage, catalog = kept_.stage, kept_.stage.recommender.catalog
        before = {f"u{n}": ids(kept(stage, f"u{n}")) for n in range(USERS)}
        kept_.upkeep._share = 0.0
        catalog.delete_item("i1")
        await kept_.upkeep.step()
        catalog.put_item(Item("i1", attributes={"price": 1}))
        kept_.upkeep._share, kept_.upkeep._refresh_at = 1.0, 0.0
        kept_.producer.surfaces.clear()
        assert await kept_.upkeep.step()
        sent = {user: made for user, made, _ in kept_.producer.surfaces}
        assert sent and {user: set(ids(made)["popular"]) for user, made in sent.items()} == {
            user: set(before[user]["popular"]) for user in sent
        }
        for user, made in sent.items():
            assert made == stage.pushed.make(
                user,
                user_state.decode(stage.table[user.encode()]),
                made.as_of,
                generated_at_ms=made.generated_at_ms,
            )
        catalog.put_item(Item("one-more"))
        world = stage.pushed.world(catalog.world())
        assert stage.lists_of("surfaces").shown.find_outdated(world, USERS)[1] == 0

    run_kept(tmp_path, monkeypatch, scenario, share=1.0)


def test_short_ones_are_not_taken_for_outdated(tmp_path: Path):
    """They hold what there is of their kind, however many other items come."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(*map(message, range(7)))
        stage.recommender.catalog.put_item(Item("one-more"))
        now, shown = stage.pushed.world(stage.recommender.catalog.world()), stage.lists_of("surfaces").shown
        assert len(shown) == USERS and shown.find_outdated(now, USERS)[1] == 0

    run(tmp_path, scenario, {"again": {"base": "buy_again", "n": 5, "push": True}})


@pytest.mark.parametrize("now", [{}, {"popular": {"base": "trending", "n": 2, "push": True}}], ids=["none", "others"])
def test_other_settings_reach_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: dict):
    """After a restart: made anew as declared now where the state is there, and deleted where none is declared."""
    earlier: list[Record] = []
    table: dict[bytes, bytes] = {}

    async def before(stage: Stage) -> None:
        batch = await stage.handle(*map(message, range(7)))
        world = worlds.encode(stage.pushed.world(stage.recommender.catalog.world()))
        earlier.extend(
            Record(key, value, (("world", world),), topic) for topic, key, value in batch.sent if topic == "surfaces"
        )
        table.update(stage.table)
        del table[b"u1"]

    run(tmp_path, before)
    monkeypatch.setattr(upkeeping, "CHOOSE_S", 0.0)
    monkeypatch.setattr(upkeeping, "SLICE_S", 10.0)

    async def after(stage: Stage) -> None:
        stage.table.update(table)
        kept_ = Kept(stage, with_share(1.0, declaring(now)))
        partition = stage.lists_of("surfaces")
        for record in earlier:
            partition.read(record)
        for each in stage.published.partitions.values():
            each.loaded()
        await kept_.upkeep.own({0})
        assert await kept_.upkeep.step()
        sent = {user: ids(made) for user, made, _ in kept_.producer.surfaces}
        assert sent.keys() == {record.key.decode() for record in earlier} - ({"u1"} if now else set())
        assert {tuple(each) for each in sent.values()} == {tuple(now)}
        assert all((kept(stage, user) is None) == (not now) for user in sent)

    run(tmp_path / "2", after, now)


def test_who_is_forgotten_has_none_and_upkeep_brings_none_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Not even one on its way; a tombstone goes out whatever is declared now."""

    async def scenario(kept_: Kept) -> None:
        await kept_.begin()
        stage = kept_.stage
        kept_.producer.is_slow = True
        stage.recommender.catalog.delete_item("i1")
        step = asyncio.create_task(kept_.upkeep.step())
        while not kept_.producer.surfaces:
            await asyncio.sleep(0)
        stage.begins = {Kind.VIEW: 100}
        batch = await stage.handle(request())
        assert ("surfaces", b"u1", None) in batch.sent
        for sent in kept_.producer.sent:
            sent.acknowledged.set_result(None)
        for _, _, acknowledged in kept_.producer.surfaces:
            acknowledged.set_result(None)
        await step
        assert kept(stage, "u1") is None and kept(stage, "u2") is not None

    run_kept(tmp_path, monkeypatch, scenario)


class Topics:
    """A producer that keeps what it is given, by topic."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None]] = []

    async def send_and_wait(self, topic: str, value: bytes | None, *, key: bytes) -> None:
        assert key == b"*"
        self.sent.append((topic, value))


def test_empty_default_surfaces_are_sent_too(tmp_path: Path):
    """Once: those of other settings may be there, and a surface without items is pushed all the same."""
    declared = {"again": {"base": "buy_again", "n": 5, "push": True}}

    async def scenario(stage: Stage) -> None:
        topics = Topics()
        app = new_app("app", SETTINGS.kafka, instance_id="w1", lease=Lease(15.0))
        default_list = DefaultList(app, topics, stage.recommender, stage.pushed, declaring(declared))
        for _ in range(3):
            await default_list._send_if_due()
        (value,) = (value for topic, value in topics.sent if topic == "surfaces")
        assert ids(msgspec.json.decode(value, type=Surfaces)) == {"again": []}

    run(tmp_path, scenario, declared)


@pytest.mark.parametrize("declared", [DECLARED, {}], ids=["some", "none"])
def test_users_without_a_record_have_default_ones(tmp_path: Path, declared: dict):
    """Sent when they change; without any declared those of other settings are deleted, once."""

    async def scenario(stage: Stage) -> None:
        topics = Topics()
        app = new_app("app", SETTINGS.kafka, instance_id="w1", lease=Lease(15.0))
        default_list = DefaultList(app, topics, stage.recommender, stage.pushed, declaring(declared))
        await stage.handle(*map(message, range(7)))
        for _ in range(3):
            await default_list._send_if_due()
        (value,) = (value for topic, value in topics.sent if topic == "surfaces")
        if not declared:
            assert value is None
            return
        made = msgspec.json.decode(value, type=Surfaces)
        assert (made.user_id, made.as_of, made.seen, list(ids(made))) == ("*", None, {}, PUSHED)
        stage.recommender.catalog.delete_item(ids(made)["popular"][0])
        await default_list._send_if_due()
        assert [topic for topic, _ in topics.sent].count("surfaces") == 2

    run(tmp_path, scenario, declared)
