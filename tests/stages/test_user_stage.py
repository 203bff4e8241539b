"""The user stage without a broker: what its head learns from a batch, and what its lists are made with."""

from __future__ import annotations

import logging

import msgspec
import numpy as np
import pytest

from stream_rec.errors import SettingsError
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.pipeline import Pipeline
from stream_rec.ranking.drift import DriftWatch
from stream_rec.ranking.head import MixtureHead
from stream_rec.ranking.merge import SharedHead
from stream_rec.ranking.policy import HeadConfig
from stream_rec.recommend.slates import policy_name
from stream_rec.recommender import LocalHead, Recommender
from stream_rec.runtime.clients import new_app
from stream_rec.runtime.lease import Lease
from stream_rec.stages import user_stage
from stream_rec.stages.default_list import DefaultList
from stream_rec.stages.user_stage import Summary
from stream_rec.user import seen
from stream_rec.user import state as user_state
from tests.stages.stage import ITEMS, SETTINGS, Message, Stage, event, impression, message


def same(first: MixtureHead, second: MixtureHead) -> bool:
    return msgspec.msgpack.encode(first, enc_hook=np.ndarray.tolist) == msgspec.msgpack.encode(
        second, enc_hook=np.ndarray.tolist
    )


@pytest.mark.parametrize("has_drifted", [False, True])
def test_event_by_event_the_head_is_that_of_the_replay(run, monkeypatch, has_drifted: bool):
    """Each event teaches what the replay learns from it: before it is folded, from what was known before it.

    Where choices are seen to have changed, the head decays as the replay's is.
    """
    monkeypatch.setattr(DriftWatch, "detect", lambda *_: has_drifted)

    async def scenario(stage: Stage) -> None:
        pipeline = Pipeline(SETTINGS)
        for item_id in ITEMS:
            pipeline.catalog.put_item(Item(item_id))
        for number in range(60):
            await stage.handle(message(number))
            pipeline.learn(Kind.VIEW, event(number))
            assert same(stage.head, pipeline.recommender.head)
        assert stage.head.n_choices > 30

    run(scenario)


def test_what_an_impression_waits_with_was_known_before_what_was_chosen_of_it(run):
    """Though both come in one batch, and the head learns the choice in it: the answer is not among the features."""
    kept: list[bytes] = []

    async def scenario(stage: Stage) -> None:
        for number in range(40):
            await stage.handle(message(number))
        untaught = stage.features_of("ann", "i1", "i2")
        click = message(51, "ann")
        await stage.handle(impression(50, "ann", "i1", "i2"), click)
        [entry] = user_state.decode(stage.table[b"ann"]).recent_impressions
        kept.extend([untaught, entry.features])
        assert stage.features_of("ann", "i1", "i2") != untaught

    run(scenario)
    assert kept[0] == kept[1] != b""


def test_an_impression_that_is_over_teaches(run):
    """When something comes half an hour later; sent again after a crash it teaches nothing."""

    async def scenario(stage: Stage) -> None:
        for number in range(20):
            await stage.handle(message(number))
        await stage.handle(impression(50, "ann", "i1", "i2"))
        assert stage.head.n_outcomes == 0
        late = impression(50 + 2000, "ann", "i3")
        await stage.handle(late)
        assert stage.head.n_outcomes == 1
        await stage.handle(late)
        assert stage.head.n_outcomes == 1

    run(scenario)


def test_replayed_events_teach_nothing(run):
    """After a crash a batch comes again, in part or whole: lists are made again, the head stays as it is."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(*(message(number) for number in range(10)))
        await stage.handle(*(message(number) for number in range(10, 15)))
        learned = stage.head
        assert learned.n_choices > 0
        batch = await stage.handle(*(message(number) for number in range(15)))
        assert stage.head is learned
        assert len(batch.lists) == 5
        await stage.handle(*(message(number) for number in range(16)))
        assert stage.head.n_choices == learned.n_choices + 1

    run(scenario)


def test_what_has_left_the_ring_is_known_by_its_offset(run):
    """A busy user's replayed events teach nothing either."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(*(message(number, "ann") for number in range(SETTINGS.user.recent_events + 20)))
        learned = stage.head
        await stage.handle(*(message(number, "ann") for number in range(10)))
        assert stage.head is learned

    run(scenario)


def test_an_event_that_was_sent_twice_teaches_once(run):
    """The second has an offset of its own, but the same id."""

    async def scenario(stage: Stage) -> None:
        for number in range(10):
            await stage.handle(message(number, "ann"))
        learned = stage.head
        await stage.handle(message(9, "ann", offset=10))
        assert stage.head is learned

    run(scenario)


def test_an_event_that_was_sent_twice_is_counted_as_a_duplicate(run, monkeypatch, caplog):
    """Also long after it was recent: chunks of the archive go to the table before the state that counts on them."""
    monkeypatch.setattr(user_stage, "SUMMARY_INTERVAL_S", 0.0)
    caplog.set_level(logging.INFO)

    async def scenario(stage: Stage) -> None:
        stage.stage._summary = Summary(lambda: 0)
        batch = await stage.handle(*(message(number, "ann") for number in range(200)))
        assert [key for key, _ in batch.kept] == [seen.key_of(b"ann", 0), b"ann"]
        state = user_state.decode(stage.table[b"ann"])
        assert (state.n_archived, state.received_ms) == (200 - SETTINGS.user.recent_events, 2_000_000_000_000)
        learned = stage.head
        batch = await stage.handle(*(message(number, "ann", offset=200 + number) for number in range(200)))
        assert stage.head is learned and not batch.signals
        assert user_state.decode(stage.table[b"ann"]).counts == (200, 0, 0)

    run(scenario)
    served = [record.getMessage() for record in caplog.records if record.getMessage().startswith("served ")]
    assert [line.partition(" duplicates=")[2].split()[0] for line in served if "events=200" in line] == ["0", "200"]


def test_a_user_of_a_batch_teaches_all_of_it_at_once(run):
    """Two events of one user are one group, learned from what was known before both."""

    async def scenario(stage: Stage) -> None:
        for number in range(12):
            await stage.handle(message(number))
        before = stage.head
        batch = await stage.handle(message(12, "ann"), message(13, "ann"))
        assert stage.head.n_choices == before.n_choices + 1
        assert sum(stage.head.fresh_choices.choices) == pytest.approx(sum(before.fresh_choices.choices) + 2, rel=1e-2)
        assert len(batch.lists) == 1

    run(scenario)


@pytest.mark.parametrize(("n_events", "n_taught"), [(10, 10), (11, 6), (20, 10), (45, 9)])
def test_in_a_large_batch_some_users_teach(run, n_events: int, n_taught: int):
    """At most ``learn_events`` of a batch: with more, every k-th user in the order of arrival, the same every time."""

    async def scenario(stage: Stage) -> None:
        for number in range(30):
            await stage.handle(message(number))
        before = stage.head.n_choices
        batch = await stage.handle(*(message(n, f"new-{n}") for n in range(30, 30 + n_events)))
        assert stage.head.n_choices == before + n_taught
        assert len(batch.lists) == n_events

    run(scenario)


def test_an_item_that_is_not_known_teaches_nothing(run):
    """There was no list that it could have been in."""

    async def scenario(stage: Stage) -> None:
        for number in range(10):
            await stage.handle(message(number))
        before = stage.head
        one = Interaction("e99", "ann", "never heard of", 99_000)
        await stage.handle(Message(b"ann", msgspec.json.encode(one), 99))
        assert same(msgspec.structs.replace(stage.head, fresh_choices=before.fresh_choices), before)

    run(scenario)


def test_lists_name_the_policy(run):
    """By a digest of the settings of ranking and head."""

    async def scenario(stage: Stage) -> None:
        batch = await stage.handle(message(1))
        assert batch.lists[0].policy == policy_name(SETTINGS.ranking, SETTINGS.head)

    run(scenario)


class Sent:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.values: list[Slate] = []

    async def send_and_wait(self, topic: str, value: bytes | None, *, key: bytes) -> None:
        assert key == DEFAULT_LIST.encode()
        if topic == "surfaces":
            assert value is None  # none is declared
            return
        assert topic == "recommendations"
        self.values.append(msgspec.json.decode(value, type=Slate))


def test_the_default_list_changes_only_with_the_world(run, tmp_path):
    """It is not explored in, and sent once for each change; asking for it counts no exposure."""

    async def scenario(stage: Stage) -> None:
        explorer = msgspec.structs.replace(
            SETTINGS, ranking=msgspec.structs.replace(SETTINGS.ranking, n=1, explore_share=0.5, tail_every=1)
        )
        sent = Sent()
        app = new_app("app", SETTINGS.kafka, instance_id="w1", lease=Lease(15.0))
        catalog, head = stage.recommender.catalog, LocalHead(stage.head)
        recommender = Recommender(catalog, head, explorer.ranking, explorer.head)
        default_list = DefaultList(app, sent, recommender, stage.pushed, explorer)
        for number in range(10):
            await stage.handle(message(number))
        for _ in range(5):
            await default_list._send_if_due()
            recommender.count_shown(np.arange(len(ITEMS)))
        assert len(sent.values) == 1
        assert all(item.propensity == 1.0 for item in sent.values[0].items)
        assert sent.values[0].policy == policy_name(explorer.ranking, explorer.head)
        stage.recommender.catalog.delete_item(sent.values[0].items[0].item_id)
        await default_list._send_if_due()
        assert len(sent.values) == 2

    run(scenario)


def test_the_default_list_is_sent_again_every_so_often(run, monkeypatch):
    """Somebody may have deleted it. The same bytes: to who has it, that says nothing new."""

    async def scenario(stage: Stage) -> None:
        sent = Sent()
        app = new_app("app", SETTINGS.kafka, instance_id="w1", lease=Lease(15.0))
        default_list = DefaultList(app, sent, stage.recommender, stage.pushed, SETTINGS)
        for number in range(10):
            await stage.handle(message(number))
        for _ in range(3):
            await default_list._send_if_due()
        assert len(sent.values) == 1
        monkeypatch.setattr("stream_rec.stages.default_list.AGAIN_S", 0.0)
        await default_list._send_if_due()
        assert len(sent.values) == 2
        assert sent.values[0] == sent.values[1]

    run(scenario)


def test_a_head_of_river_is_refused():
    """It could not be shared, and what it learned would be gone with the process."""
    with pytest.raises(SettingsError, match="river"):
        SharedHead.cold(HeadConfig(river="river.linear_model:LogisticRegression"), seed=0)
