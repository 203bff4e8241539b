"""What is gone leaves every list that shows it, and no list is overwritten by an older one."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from stream_rec.catalog.world import UNKNOWN
from stream_rec.events.item import Item
from stream_rec.stages import upkeep as upkeeping
from stream_rec.stages.published import PublishedList
from tests.stages.kept import USERS, Kept, Record
from tests.stages.stage import message


def test_what_is_gone_leaves_every_list(keep):
    """Each list that showed it is sent once without it, and known to be so; the others are not sent."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        before = {f"u{n}": kept.list_of(f"u{n}") for n in range(USERS)}
        kept.stage.recommender.catalog.delete_item("i1")
        assert await kept.upkeep.step()
        showing = [user for user, item_ids in before.items() if "i1" in item_ids]
        assert sorted(sent.slate.user_id for sent in kept.producer.sent) == showing
        assert len(showing) > 1
        for sent in kept.producer.sent:
            wanted = [item_id for item_id in before[sent.slate.user_id] if item_id != "i1"]
            assert [item.item_id for item in sent.slate.items] == wanted == kept.list_of(sent.slate.user_id)
            assert sent.world == UNKNOWN
        assert not await kept.upkeep.step()
        assert len(kept.producer.sent) == len(showing)

    keep(scenario)


def test_lists_are_sent_evenly(keep, monkeypatch):
    """As many as are due; when time is over, all that are left."""
    monkeypatch.setattr(upkeeping, "LONGEST_S", 1e9)

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        slate = kept.partition.made(kept.partition.shown.find(b"u1"))
        for number in range(100):
            of_user = msgspec.structs.replace(slate, user_id=f"q{number}", items=slate.items[:1])
            kept.partition.put(
                PublishedList.of(of_user.user_id.encode(), of_user, UNKNOWN, kept.stage.recommender.catalog)
            )
        monkeypatch.setattr(upkeeping, "WITHIN_S", 10.0)
        now = [1000.0]
        monkeypatch.setattr(upkeeping.time, "monotonic", lambda: now[0])
        await kept.upkeep.step()
        kept.stage.recommender.catalog.delete_item(slate.items[0].item_id)
        sent = []
        for second in range(1, 11):
            now[0] = 1000.0 + second
            await kept.upkeep.step()
            sent.append(len(kept.producer.sent))
        assert len({one.slate.user_id for one in kept.producer.sent}) == sent[-1] >= 100
        assert sent[4] == pytest.approx(sent[-1] / 2, rel=0.15)
        assert kept.partition.shown.n_stale == 0

    keep(scenario)


def test_an_item_that_is_back_before_its_turn_stays(keep):
    """Nothing is sent for nothing."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        await kept.stage.published.begin([f"u{n}".encode() for n in range(USERS)])
        kept.stage.recommender.catalog.delete_item("i1")
        await kept.upkeep.step()
        kept.stage.recommender.catalog.put_item(Item("i1"))
        kept.stage.published.end()
        assert not await kept.upkeep.step()
        assert kept.producer.sent == []
        assert kept.partition.shown.n_stale == 0

    keep(scenario)


def test_who_is_in_hand_is_left_alone_until_the_new_list_is_known(keep):
    """A list that was made before the item went, and acknowledged after, is sent again without it."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        stage, catalog = kept.stage, kept.stage.recommender.catalog
        commit = None

        class Late:
            """Of a batch's lists: while they are on their way an item goes, and a step comes between."""

            @staticmethod
            async def commit(batch, **what) -> None:
                await commit(batch, **what)
                catalog.delete_item("i1")
                await kept.upkeep.step()
                assert "u1" not in {sent.slate.user_id for sent in kept.producer.sent}

        from tests.stages import stage as stages

        commit, stages.Batch.commit = stages.Batch.commit, Late.commit
        try:
            batch = await stage.handle(message(21, "u1"))
        finally:
            stages.Batch.commit = commit
        assert "i1" in [item.item_id for item in batch.lists[0].items]
        await kept.upkeep.step()
        mended = [sent.slate for sent in kept.producer.sent if sent.slate.user_id == "u1"]
        assert [slate.seen for slate in mended] == [{"views": 21}]
        assert "i1" not in [item.item_id for item in mended[0].items]

    keep(scenario)


def test_a_list_acknowledged_late_is_not_taken_for_the_newest(keep):
    """Upkeep's list was sent first, the stage's is newer, upkeep hears of its own last."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        kept.producer.is_slow = True
        kept.stage.recommender.catalog.delete_item("i1")
        step = asyncio.create_task(kept.upkeep.step())
        while not kept.producer.sent:
            await asyncio.sleep(0)
        batch = await kept.stage.handle(message(30, "u1"))
        for sent in kept.producer.sent:
            sent.acknowledged.set_result(None)
        await step
        number = kept.partition.shown.find(b"u1")
        assert kept.partition.made(number) == batch.lists[0]

    keep(scenario)


def test_a_user_who_is_forgotten_meanwhile_stays_forgotten(keep):
    """Neither the list on its way nor one still to be read from the topic brings the user back."""

    async def scenario(kept: Kept) -> None:
        await kept.begin(is_loaded=False)
        record = Record(b"u1", msgspec.json.encode(kept.partition.made(kept.partition.shown.find(b"u1"))))
        kept.producer.is_slow = True
        kept.stage.recommender.catalog.delete_item("i1")
        step = asyncio.create_task(kept.upkeep.step())
        while not kept.producer.sent:
            await asyncio.sleep(0)
        kept.stage.published.forget(0, b"u1")
        for sent in kept.producer.sent:
            sent.acknowledged.set_result(None)
        await step
        kept.partition.read(record)
        assert kept.partition.shown.find(b"u1") is None

    keep(scenario)


def test_while_partitions_move_nothing_is_sent(keep):
    """And they move only when all that was sent is acknowledged."""

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        kept.producer.is_slow = True
        kept.stage.recommender.catalog.delete_item("i1")
        step = asyncio.create_task(_stepped(kept))
        while not kept.producer.sent:
            await asyncio.sleep(0)
        revoked = asyncio.create_task(kept.app.on_partitions_revoked.send(set()))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not revoked.done()
        for sent in kept.producer.sent:
            sent.acknowledged.set_result(None)
        await revoked
        await step
        n_sent = len(kept.producer.sent)
        kept.stage.recommender.catalog.delete_item("i2")
        assert not await kept.upkeep.step()
        assert len(kept.producer.sent) == n_sent
        kept.producer.is_slow = False
        await kept.upkeep.own({0})
        assert await kept.upkeep.step()

    keep(scenario)


async def _stepped(kept: Kept) -> None:
    async with kept.upkeep._stepping:
        await kept.upkeep.step()
