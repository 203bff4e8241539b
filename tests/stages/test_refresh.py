"""Lists of another world are made anew, as far as the budget reaches."""

from __future__ import annotations

import pytest

from stream_rec.events.item import Item
from stream_rec.stages import upkeep as upkeeping
from tests.stages.kept import Kept


def test_lists_of_another_world_are_made_anew_within_the_budget(keep, monkeypatch):
    """A list that lost an item is filled up again; one that would be the same is not sent; then there is rest."""
    monkeypatch.setattr(upkeeping, "CHOOSE_S", 0.0)
    monkeypatch.setattr(upkeeping, "SLICE_S", 10.0)

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        kept.upkeep._refresh_at = 0.0
        catalog = kept.stage.recommender.catalog
        kept.upkeep._share = 0.0
        catalog.delete_item("i1")
        await kept.upkeep.step()
        catalog.put_item(Item("i1"))
        kept.producer.sent.clear()
        assert not await kept.upkeep.step()
        kept.upkeep._share = 1.0
        assert await kept.upkeep.step()
        assert {sent.slate.user_id for sent in kept.producer.sent} >= {"u0", "u1"}
        for sent in kept.producer.sent:
            assert sent.world == catalog.world()
            assert [item.item_id for item in sent.slate.items] == kept.list_of(sent.slate.user_id)
            assert sent.slate.as_of.offset in sent.slate.seen.values()
        assert all("i1" in kept.list_of(sent.slate.user_id) for sent in kept.producer.sent)
        n_sent = len(kept.producer.sent)
        kept.upkeep._refresh_at = 0.0
        assert not await kept.upkeep.step()
        assert len(kept.producer.sent) == n_sent

    keep(scenario, share=1.0)


def test_the_budget_is_kept(keep, monkeypatch):
    """After a step there is a rest of so many times its length as the share says."""
    monkeypatch.setattr(upkeeping, "CHOOSE_S", 0.0)

    async def scenario(kept: Kept) -> None:
        await kept.begin()
        used = iter([5.0, 5.002])
        monkeypatch.setattr(upkeeping.time, "thread_time", lambda: next(used))
        monkeypatch.setattr(upkeeping.time, "monotonic", lambda: 1000.0)
        kept.upkeep._refresh_at = kept.upkeep._chosen_at = 0.0
        await kept.upkeep.step()
        assert kept.upkeep._refresh_at == pytest.approx(1000.0 + 0.002 / 0.05)

    keep(scenario, share=0.05)
