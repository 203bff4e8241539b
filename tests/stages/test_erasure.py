"""Who wants to be forgotten is: the user stage without a broker."""

from __future__ import annotations

import msgspec
from faust.types import TP

from stream_rec.events.interaction import Kind
from stream_rec.events.receipt import Receipt
from stream_rec.events.source import Source
from stream_rec.knowledge.visits import visitor_of
from stream_rec.user import forgotten, seen
from stream_rec.user import state as user_state
from tests.stages.stage import Batch, Message, Stage, event, message, profile, search

ANN = b"u1"


def request(offset: int = 0, user: bytes = ANN, request_id: str = "r1") -> Message:
    value = msgspec.json.encode({"user_id": user.decode(), "timestamp_ms": 5, "request_id": request_id})
    return Message(user, value, offset, topic="forget")


def receipts(batch: Batch) -> list[Receipt]:
    return [msgspec.json.decode(value, type=Receipt) for topic, _, value in batch.sent if topic == "receipts"]


def of_ann(number: int) -> Message:
    return message(number, user="u1")


def test_state_list_and_traces_go_and_a_receipt_comes(run):
    """A marker that does not hold the id stays."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(*(of_ann(number) for number in range(5)))
        n_items = len({event(number).item_id for number in range(5)})
        stage.begins = {Kind.VIEW: 5}
        batch = await stage.handle(request())

        assert list(stage.table) == [forgotten.key_of(ANN)]
        assert not any(ANN in key or ANN in value for key, value in stage.table.items())
        assert {("recommendations", ANN, None), ("surfaces", ANN, None)} <= set(batch.sent)
        assert batch.purged == [0]
        (receipt,) = receipts(batch)
        assert (receipt.request_id, receipt.n_events, receipt.n_items) == ("r1", 5, n_items)
        assert {signal.visitor for signal in batch.signals} == {visitor_of("u1")}
        for item_id in {event(number).item_id for number in range(5)}:
            assert stage._items[item_id].visits == b"" and sum(stage._items[item_id].counts) > 0

    run(scenario)


def test_what_was_on_its_way_stays_out_and_what_comes_later_begins_a_new_user(run):
    """By the offsets at the time of the request, in each topic."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(*(of_ann(number) for number in range(3)))
        stage.begins = {Kind.VIEW: 5}
        await stage.handle(request())
        late = await stage.handle(of_ann(3), of_ann(4))
        assert ANN not in stage.table and not late.lists
        await stage.handle(of_ann(5))
        assert user_state.decode(stage.table[ANN]).counts == (1, 0, 0)

    run(scenario)


def test_what_was_asked_goes_too_and_what_was_on_its_way_stays_out(run):
    """Of who only searched as of others; a later search begins a new user, one of before does not."""

    async def scenario(stage: Stage) -> None:
        first = await stage.handle(search(0, "u1", "a private matter"))
        assert [made.as_of.topic for made in first.lists] == ["searches"]
        stage.begins = {Kind.VIEW: 1, Source.SEARCH: 3}
        batch = await stage.handle(of_ann(0), search(1, "u1", "another private matter"), request())
        assert list(stage.table) == [forgotten.key_of(ANN)]
        assert {("recommendations", ANN, None), ("surfaces", ANN, None)} <= set(batch.sent)
        assert [receipt.n_events for receipt in receipts(batch)] == [1]
        assert not any(b"private" in value for value in [*stage.table.values(), *(v or b"" for _, _, v in batch.sent)])
        late = await stage.handle(search(2, "u1", "a late private matter"))
        assert ANN not in stage.table and not late.lists
        await stage.handle(search(3, "u1", "tea"))
        assert [asked.query for asked in user_state.decode(stage.table[ANN]).recent_searches] == ["tea"]

    run(scenario)


def test_the_profile_goes_too_from_its_topic_and_the_record_that_takes_it_brings_nobody_back(run):
    """That record is read like any other; who has come back since keeps what they have."""

    async def scenario(stage: Stage) -> None:
        first = await stage.handle(profile(0, "u1", "a private pastime"))
        assert [made.as_of.topic for made in first.lists] == ["profiles"]
        stage.begins = {Source.PROFILE: 1}
        batch = await stage.handle(request())
        assert list(stage.table) == [forgotten.key_of(ANN)]
        assert ("profiles", ANN, None) in batch.sent
        assert not any(b"private" in value for value in stage.table.values())
        own = await stage.handle(Message(ANN, None, 1, topic="profiles"))
        assert list(stage.table) == [forgotten.key_of(ANN)] and not own.lists and not own.sent
        late = await stage.handle(of_ann(0), Message(ANN, None, 2, topic="profiles"))
        assert user_state.decode(stage.table[ANN]).counts == (1, 0, 0) and len(late.lists) == 1

    run(scenario)


def test_the_list_that_is_kept_goes_and_an_erasure_request_that_comes_again_spares_the_new_one(run):
    """Upkeep would bring it back."""

    async def scenario(stage: Stage) -> None:
        shown = stage.lists_of().shown
        await stage.handle(of_ann(0))
        assert shown.find(ANN) is not None
        stage.begins = {Kind.VIEW: 1}
        await stage.handle(request())
        assert shown.find(ANN) is None
        await stage.handle(of_ann(1))
        await stage.handle(request())
        assert shown.find(ANN) is not None

    run(scenario)


def test_events_before_and_after_the_erasure_request_in_one_batch(run):
    """The first are taken, for others learn from them, and forgotten; the others are the new user's."""

    async def scenario(stage: Stage) -> None:
        stage.begins = {Kind.VIEW: 2}
        batch = await stage.handle(of_ann(0), of_ann(1), request(), of_ann(2), message(3, user="u2"))
        (receipt,) = receipts(batch)
        assert receipt.n_events == 2
        assert user_state.decode(stage.table[ANN]).counts == (1, 0, 0)
        assert [slate.user_id for slate in batch.lists][-1] == "u1"
        topics = [topic for topic, key, value in batch.sent if key == ANN]
        assert topics == ["recommendations", "recommendations", "surfaces", "profiles", "recommendations"]

    run(scenario)


def test_an_erasure_request_that_comes_again_spares_the_new_user(run):
    """After a crash the same record is read again: the receipt is sent again, nothing is deleted."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(of_ann(0))
        stage.begins = {Kind.VIEW: 1}
        await stage.handle(request())
        await stage.handle(of_ann(1))
        again = await stage.handle(request())
        assert user_state.decode(stage.table[ANN]).counts == (1, 0, 0)
        assert [receipt.request_id for receipt in receipts(again)] == ["r1"]
        assert again.purged == [0]  # the crash may have come before it

        stage.begins = {Kind.VIEW: 2}
        await stage.handle(request(offset=1, request_id="r2"))
        assert ANN not in stage.table

    run(scenario)


def test_the_note_goes_when_all_topics_have_been_read_that_far(run):
    """And not before: the request itself must not be read again either."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(of_ann(0))
        stage.begins = {Kind.VIEW: 3, Kind.CLICK: 7}
        await stage.handle(request(offset=4))
        marker = forgotten.key_of(ANN)
        for read in ({}, {"views": 3, "forget": 5}, {"views": 3, "clicks": 6, "forget": 5}, {"views": 3, "clicks": 7}):
            stage.committed.clear()
            stage.committed.update({TP(topic, 0): offset for topic, offset in read.items()})
            await stage.handle(message(8, user="u2"))
            assert marker in stage.table, read
        stage.committed.update({TP("views", 0): 3, TP("clicks", 0): 7, TP("forget", 0): 5})
        await stage.handle(message(9, user="u2"))
        assert marker not in stage.table

    run(scenario)


def test_the_archive_goes_too(run):
    """Also what a crash left of it; that of a new generation stays when the request is read again."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(*(of_ann(number) for number in range(300)), message(300, user="u10"))
        stage.table[seen.key_of(b"u10", 0)] = b"of another user"
        chunk = seen.key_of(ANN, 0)
        assert chunk in stage.table
        stage.begins = {Kind.VIEW: 301}
        batch = await stage.handle(request())
        assert set(stage.table) == {forgotten.key_of(ANN), b"u10", seen.key_of(b"u10", 0)}
        assert [key for key, _ in batch.kept] == [ANN, forgotten.key_of(ANN), chunk]  # no crash undoes it by half

        for number in range(301, 601):
            await stage.handle(of_ann(number))
        new = stage.table[chunk]
        stage.table[seen.key_of(ANN, 1)] = b"left by a crash"
        await stage.handle(request())
        assert stage.table[chunk] == new and seen.key_of(ANN, 1) not in stage.table

    run(scenario)


def test_what_is_no_erasure_request_is_rejected(run):
    """A key that is not the user's would reach another partition's users."""

    async def scenario(stage: Stage) -> None:
        await stage.handle(of_ann(0))
        bad = Message(b"u2", request().value, 0, topic="forget")
        batch = await stage.handle(bad, Message(ANN, b"{", 1, topic="forget"), Message(ANN, None, 2, topic="forget"))
        assert [topic for topic, _, _ in batch.sent] == ["rejected"] * 3
        batch = await stage.handle(Message(b"*", request().value.replace(b'"ann"', b'"*"'), 3, topic="forget"))
        assert [topic for topic, _, _ in batch.sent] == ["rejected"]
        assert ANN in stage.table

    run(scenario)
