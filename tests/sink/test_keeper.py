"""Whatever is down, a target is equal to its topics once it is there again; a person is called where trying is vain."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from stream_rec.errors import (
    BrokerUnavailable,
    LoginRefused,
    NotAllowed,
    SettingsError,
    StateVersionError,
    StreamRecError,
    TargetUnavailable,
    TopicMismatch,
    UnreadableRecords,
)
from stream_rec.sink import keeper as keeping
from stream_rec.sink.keeper import Keeper
from stream_rec.sink.target import Turn
from tests.kafka.outcome import wait_until
from tests.sink.fakes import TOPICS, FakeCluster, FakeSource, FakeTarget, list_of


class Broker:
    """What a keeper connects to."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.failures: list[Exception] = []
        self.sources: list[FakeSource] = []

    def open(self) -> AbstractContextManager[FakeSource]:
        if self.failures:
            raise self.failures.pop(0)
        self.sources.append(FakeSource(self.cluster))
        return nullcontext(self.sources[-1])


@contextmanager
def kept(broker: Broker, target: FakeTarget, still_s: float = 0.2) -> Iterator[Keeper]:
    """Keep a target in a thread, which has to end well."""
    keeper = Keeper(broker.open, target, TOPICS, still_s=still_s, first_pause_s=0.01)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            keeper.run()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield keeper
    finally:
        keeper.stop()
        thread.join()
    assert not failures


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fake waits for records."""
    monkeypatch.setattr(keeping, "FETCH_S", 0.0)
    monkeypatch.setattr(keeping, "MOST_PAUSE_S", 0.05)


def test_a_target_that_is_down_is_asked_until_it_is_there(caplog: pytest.LogCaptureFixture):
    """It is said why nothing is copied; then everything is, and nothing is left of the trouble."""
    broker, target = Broker(FakeCluster()), FakeTarget()
    broker.cluster.lists.put("ann", list_of("ann"))
    target.is_down = True
    with kept(broker, target) as keeper:
        wait_until(lambda: keeper.n_failures >= 3)
        assert keeper.find_why_not_ready() == "it is down"
        target.is_down = False
        wait_until(lambda: not keeper.find_why_not_ready())
        assert target.held == broker.cluster.newest()

    waits = [record for record in caplog.records if record.getMessage().startswith("sink_waits seconds=")]
    assert len(waits) == keeper.n_failures and "it is down" in waits[0].getMessage()


def test_pauses_grow_and_are_short_again_after_a_success(caplog: pytest.LogCaptureFixture):
    """A store that is down is not asked all the time."""
    broker, target = Broker(FakeCluster()), FakeTarget()
    broker.cluster.lists.put("ann", list_of("ann"))
    target.is_down = True
    with kept(broker, target) as keeper:
        wait_until(lambda: keeper.n_failures == 4)
        target.is_down = False
        wait_until(lambda: not keeper.find_why_not_ready())
        target.is_down = True
        broker.cluster.lists.put("ann", list_of("ann", "cup"))
        wait_until(lambda: keeper.n_failures == 5)

    seconds = [record.getMessage().split()[1] for record in caplog.records if "sink_waits" in record.getMessage()]
    assert seconds == [f"seconds={pause}" for pause in ("0.01", "0.02", "0.04", "0.05", "0.01")]


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_batch_that_failed_is_in_the_target_once_it_works(how: str):
    """Whether it was done or not when the connection was lost."""
    broker, target = Broker(FakeCluster()), FakeTarget()
    with kept(broker, target) as keeper:
        wait_until(lambda: not keeper.find_why_not_ready())
        target.fails = how
        broker.cluster.lists.put("ann", list_of("ann"))
        wait_until(lambda: keeper.n_failures == 1 and target.held == broker.cluster.newest())


@pytest.mark.parametrize("error", [BrokerUnavailable("away"), NotAllowed("no more"), TopicMismatch("it is gone")])
def test_a_broker_that_fails_later_is_waited_for(error: StreamRecError):
    """Also where a topic is gone: it may be made again at this moment."""
    broker, target = Broker(FakeCluster()), FakeTarget()
    with kept(broker, target) as keeper:
        wait_until(lambda: not keeper.find_why_not_ready())
        broker.failures = [error, error]
        broker.sources[0].failure = error
        wait_until(lambda: len(broker.sources) == 2)
        broker.cluster.lists.put("ann", list_of("ann"))
        wait_until(lambda: target.held == broker.cluster.newest())
        assert keeper.n_failures == 0


@pytest.mark.parametrize(
    "error", [LoginRefused("who?"), NotAllowed("no"), TopicMismatch("what?"), UnreadableRecords("how?")]
)
def test_what_is_refused_at_the_beginning_ends_it(error: StreamRecError):
    """A person must look, as at the beginning of every command."""
    broker = Broker(FakeCluster())
    broker.failures = [BrokerUnavailable("away"), error]

    with pytest.raises(type(error)):
        Keeper(broker.open, FakeTarget(), TOPICS, first_pause_s=0.01).run()


@pytest.mark.parametrize(
    "error", [SettingsError("other's"), StateVersionError("damaged"), UnreadableRecords("codec"), ZeroDivisionError()]
)
def test_what_trying_again_does_not_mend_ends_it_at_any_time(error: Exception):
    """Nor does a fault of the program."""
    broker = Broker(FakeCluster())
    keeper = Keeper(broker.open, FakeTarget(), TOPICS, first_pause_s=0.01)
    failing = threading.Thread(
        target=lambda: (
            wait_until(lambda: not keeper.find_why_not_ready()),
            setattr(broker.sources[0], "failure", error),
        )
    )
    failing.start()

    with pytest.raises(type(error)):
        keeper.run()
    failing.join()


def test_where_somebody_else_writes_it_goes_on_from_there():
    """Once may be a try of its own that came late."""
    broker, target = Broker(FakeCluster()), FakeTarget()
    with kept(broker, target, still_s=30.0) as keeper:
        wait_until(lambda: not keeper.find_why_not_ready())
        target.write([], Turn(target.bookmark, target.bookmark + b" "))
        broker.cluster.lists.put("ann", list_of("ann"))
        wait_until(lambda: target.held == broker.cluster.newest())
        assert not keeper.stands_by


def test_of_two_one_stands_by_and_takes_over():
    """Until the bookmark has been still for long enough."""
    broker, target = Broker(FakeCluster()), FakeTarget()
    with kept(broker, target) as one, kept(broker, target) as two:

        def standing() -> list[Keeper]:
            return [each for each in (one, two) if each.stands_by and not each.find_why_not_ready()]

        n = 0
        while not standing():
            n += 1
            broker.cluster.lists.put("ann", list_of("ann", at_ms=n))
        [waits] = standing()
        other = two if waits is one else one
        other.stop()
        wait_until(lambda: not waits.stands_by)
        broker.cluster.lists.put("ann", list_of("ann", "last"))
        wait_until(lambda: target.held == broker.cluster.newest())


def test_a_keeper_that_is_stuck_is_not_ready(monkeypatch: pytest.MonkeyPatch):
    """And until all that was there has been copied it is not either."""
    broker, target = Broker(FakeCluster()), FakeTarget()
    with kept(broker, target) as keeper:
        wait_until(lambda: not keeper.find_why_not_ready())
        monkeypatch.setattr(keeping, "STUCK_S", -1.0)
        assert keeper.find_why_not_ready().startswith("nothing has come to an end for")


def test_who_has_just_begun_says_how_many_are_to_go():
    """Of what was there then."""
    broker, target = Broker(FakeCluster()), FakeTarget()
    for n in range(9):
        broker.cluster.lists.put(f"u{n}", list_of(f"u{n}"))
    holds, has_come = threading.Event(), threading.Event()
    put = target.write

    def write(changes, turn) -> None:
        has_come.set()
        assert holds.wait(30)
        put(changes, turn)

    target.write = write
    with kept(broker, target) as keeper:
        assert keeper.find_why_not_ready() in ("begins", "copies what is there: 9 records to go")
        assert has_come.wait(30)
        assert keeper.find_why_not_ready() == "copies what is there: 9 records to go"
        assert sum(keeper.lag.values()) == 9
        holds.set()
        wait_until(lambda: not keeper.find_why_not_ready())
        assert keeper.lag == {"recommendations": 0, "surfaces": 0}


def test_a_target_is_let_go_of():
    """At the end, and before it is asked anew."""
    broker, target, closed = Broker(FakeCluster()), FakeTarget(), []
    target.close = lambda: closed.append(target.n_opened)
    with kept(broker, target) as keeper:
        wait_until(lambda: not keeper.find_why_not_ready())
        broker.sources[0].failure = TargetUnavailable("gone")
        wait_until(lambda: target.n_opened == 2)

    assert closed == [1, 2]
