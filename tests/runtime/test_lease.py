"""The lease: how it is renewed and lost, and that nothing is sent without it."""

from __future__ import annotations

import asyncio
import itertools
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaError, UnknownMemberIdError
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest, LeaveGroupRequest, SyncGroupRequest

from stream_rec.runtime.lease import EXPELLED, Lease
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.logs import send, zipf_log
from tests.kafka.outcome import Count, assert_same_as_replay
from tests.kafka.settings import quick_settings

TIMEOUT_S = 10.0
REBALANCE_IN_PROGRESS = 27
HEARTBEAT = HeartbeatRequest("group", 1, "member")
COMMIT = OffsetCommitRequest("group", 1, "w1-AAAAAAAAAAAAAAAAAAAAAA", -1, [])
SYNC = SyncGroupRequest("group", 1, "member", "instance", [])


class Ended(BaseException):
    """The process ended here."""


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Leased:
    """A lease, its clock, and the codes with which it ended the process."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.codes: list[int] = []
        self.lease = Lease(TIMEOUT_S, clock=self.clock, end=self._end)

    def _end(self, code: int) -> None:
        self.codes.append(code)
        raise Ended

    def lasts(self) -> bool:
        """Whether something may be sent now."""
        try:
            self.lease.require()
        except Ended:
            return False
        return True


class Coordinator:
    """aiokafka's, as far as the lease knows it: an answer takes ``delay_s`` and says ``error_code``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.error_code = 0
        self.delay_s = 0.0
        self.failure: Exception | None = None
        self.group_id = "group"
        self.member_id = "w1-AAAAAAAAAAAAAAAAAAAAAA"
        self._group_instance_id = "w1"
        self.members: list[tuple[Any, ...]] | Exception = []
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()

    async def _send_req(self, request: Any) -> SimpleNamespace:
        if isinstance(request, DescribeGroupsRequest):
            self.is_asked.set()
            await asyncio.to_thread(self.may_answer.wait, 5)
            if isinstance(self.members, Exception):
                raise self.members
            return SimpleNamespace(groups=[(0, "group", "Stable", "consumer", "faust", self.members)])
        self._clock.now_s += self.delay_s
        if self.failure is not None:
            raise self.failure
        topics = [("views", [(0, 0), (1, self.error_code)])]
        return SimpleNamespace(error_code=self.error_code, topics=topics)


@pytest.fixture
def leased() -> Leased:
    return Leased()


@pytest.fixture
def coordinator(leased: Leased) -> Coordinator:
    made = Coordinator(leased.clock)
    leased.lease.watch(made)
    return made


def ask(coordinator: Coordinator, request: Any = HEARTBEAT) -> SimpleNamespace:
    return asyncio.run(coordinator._send_req(request))


def test_before_the_first_assignment_everything_may_be_sent(leased: Leased):
    """Whoever owns nothing can overwrite nothing: a start may take longer than the session timeout."""
    leased.clock.now_s += 1000 * TIMEOUT_S

    assert leased.lasts()


def test_it_lasts_for_the_session_timeout(leased: Leased):
    """And not a moment longer; the process ends with the code that says: start me again."""
    leased.lease.renew(leased.clock())
    leased.clock.now_s += TIMEOUT_S
    assert leased.lasts()
    leased.clock.now_s += 0.001
    assert not leased.lasts()

    assert leased.codes == [75]


def test_who_is_expelled_has_no_time_left(leased: Leased):
    """However lately the lease was renewed."""
    leased.lease.renew(leased.clock())
    leased.lease.lose()

    assert not leased.lasts()


@pytest.mark.parametrize("request_", [HEARTBEAT, SYNC], ids=["heartbeat", "sync"])
def test_a_good_answer_renews_it_from_when_it_was_asked_for(leased: Leased, coordinator: Coordinator, request_: Any):
    """The broker counts from the arrival of the request, which lies between: we count from before it."""
    coordinator.delay_s = 4.0
    answer = ask(coordinator, request_)
    assert answer.error_code == 0
    leased.clock.now_s += TIMEOUT_S - 4.0
    assert leased.lasts()
    leased.clock.now_s += 0.001
    assert not leased.lasts()


@pytest.mark.parametrize("error_code", [REBALANCE_IN_PROGRESS, 15, 16])
def test_while_others_join_it_is_not_prolonged(leased: Leased, coordinator: Coordinator, error_code: int):
    """The broker does not wait for us for ever: what was left of the lease is what is left."""
    leased.lease.renew(leased.clock())
    leased.clock.now_s += TIMEOUT_S - 1.0
    coordinator.error_code = error_code
    ask(coordinator)
    assert leased.lasts()
    leased.clock.now_s += 1.001
    assert not leased.lasts()


@pytest.mark.parametrize("error_code", sorted(EXPELLED))
def test_an_answer_that_does_not_know_us_ends_it(leased: Leased, coordinator: Coordinator, error_code: int):
    """Unknown member, an old generation, or another process of our name."""
    leased.lease.renew(leased.clock())
    coordinator.error_code = error_code
    ask(coordinator)

    assert not leased.lasts()


def test_the_codes_of_the_expelled_are_kafkas():
    """UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION and FENCED_INSTANCE_ID, as the protocol numbers them."""
    assert {25, 22, 82} == EXPELLED


def test_other_requests_say_nothing_of_it(leased: Leased, coordinator: Coordinator):
    """That the broker takes a commit, or a goodbye, confirms no assignment."""
    leased.lease.renew(leased.clock())
    leased.clock.now_s += TIMEOUT_S + 1.0
    ask(coordinator, LeaveGroupRequest("group", "member"))

    assert not leased.lasts()


def test_no_answer_renews_nothing(leased: Leased, coordinator: Coordinator):
    """And whoever asked hears of the failure, as without the lease."""
    leased.lease.renew(leased.clock())
    coordinator.failure, coordinator.delay_s = ConnectionError("gone"), TIMEOUT_S + 1.0
    with pytest.raises(ConnectionError, match="gone"):
        ask(coordinator)

    assert not leased.lasts()


class Client:
    """aiokafka's, as far as the lease knows it: becoming ready may take its time."""

    def __init__(self, wait: Callable[[], None] = lambda: None) -> None:
        self._wait = wait
        self.sent: list[tuple[int, Any, Any]] = []

    async def ready(self, node_id: int, *, group: Any) -> bool:
        self._wait()
        return True

    async def send(self, node_id: int, request: Any, *, group: Any) -> str:
        self.sent.append((node_id, request, group))
        return "answer"


def test_a_producer_sends_while_the_lease_lasts(leased: Leased):
    """The request, as it was, and its answer."""
    client = Client()
    leased.lease.guard(client)
    leased.lease.renew(leased.clock())

    assert asyncio.run(client.send(7, "produce", group="g")) == "answer"
    assert client.sent == [(7, "produce", "g")]


@pytest.mark.parametrize("is_late_by", ["before", "while it connects"])
def test_nothing_is_sent_when_it_is_over(leased: Leased, is_late_by: str):
    """Also where it ran out while the connection was made: looked at last, before the socket. It ends once."""

    def pass_time() -> None:
        leased.clock.now_s += TIMEOUT_S + 0.001

    client = Client(pass_time if is_late_by == "while it connects" else lambda: None)
    leased.lease.guard(client)
    leased.lease.renew(leased.clock())
    if is_late_by == "before":
        pass_time()
    with pytest.raises(Ended):
        asyncio.run(client.send(7, "produce", group="g"))

    assert client.sent == []
    assert leased.codes == [75]


@pytest.mark.parametrize("twin", ["w1-BBBBBBBBBBBBBBBBBBBBB-", "w1-0b4b2c1e-6a3f-4a63-8b59-1c5e8d2b7a90"])
@pytest.mark.parametrize("error_code", sorted(EXPELLED))
def test_who_is_expelled_for_a_twin_ends_and_names_it(
    leased: Leased, coordinator: Coordinator, caplog: pytest.LogCaptureFixture, error_code: int, twin: str
):
    """Started again it would expel the other: the code says that a person must look."""
    coordinator.error_code = error_code
    coordinator.members = [("w2-CCCCCCCCCCCCCCCCCCCCCC", "c", "/10.0.0.7"), (twin, "c", "/10.0.0.8")]

    with pytest.raises(Ended):
        ask(coordinator)

    assert leased.codes == [2]
    assert "instance_runs_twice instance=w1 other_at=10.0.0.8" in caplog.text
    assert "--instance-id" in caplog.text


@pytest.mark.parametrize(
    "members",
    [
        [],
        [("w1-AAAAAAAAAAAAAAAAAAAAAA", "c", "/10.0.0.7")],
        [("w1-2-AAAAAAAAAAAAAAAAAAAAAA", "c", "/10.0.0.7"), ("w11-AAAAAAAAAAAAAAAAAAAAAA", "c", "/10.0.0.7")],
        KafkaError("the coordinator has moved"),
    ],
    ids=["nobody", "ourselves", "similar names", "no answer"],
)
def test_who_is_expelled_for_no_twin_goes_on(leased: Leased, coordinator: Coordinator, members: Any):
    """It joins again, and sends nothing before."""
    coordinator.error_code = min(EXPELLED)
    coordinator.members = members

    ask(coordinator)

    assert leased.codes == []
    assert not leased.lasts()


def test_a_commit_may_hear_of_a_twin_before_a_heartbeat_does(leased: Leased, coordinator: Coordinator):
    """It would join again, and throw the twin out. Without one it does, and its lease lasts as before."""
    leased.lease.renew(leased.clock())
    coordinator.error_code = UnknownMemberIdError.errno
    ask(coordinator, COMMIT)
    assert leased.codes == [] and leased.lasts()
    coordinator.members = [("w1-BBBBBBBBBBBBBBBBBBBBBB", "c", "/10.0.0.8")]

    with pytest.raises(Ended):
        ask(coordinator, COMMIT)
    assert leased.codes == [2]


def test_who_wants_to_send_waits_for_why_it_was_expelled(leased: Leased, coordinator: Coordinator):
    """Else a busy worker would end with the code that has it started again, and expel its twin."""
    coordinator.error_code = min(EXPELLED)
    coordinator.members = [("w1-BBBBBBBBBBBBBBBBBBBBBB", "c", "/10.0.0.8")]
    coordinator.may_answer.clear()

    def heartbeat() -> None:
        with pytest.raises(Ended):
            ask(coordinator)

    heart = threading.Thread(target=heartbeat)
    heart.start()
    assert coordinator.is_asked.wait(5)
    threading.Timer(0.3, coordinator.may_answer.set).start()

    assert not leased.lasts()
    heart.join(5)
    assert leased.codes == [2, 75]  # a real process ends with the first


@pytest.mark.kafka
def test_of_two_workers_of_one_name_the_first_ends(bootstrap: str, tmp_path: Path):
    """On two machines no lock keeps them apart. They do not throw each other out for ever, and the cause is named."""
    settings = quick_settings(worker={"session_timeout_s": 6.0})
    with RunningPipeline(bootstrap, settings, embedder=False) as first:
        here = {"kafka": first.settings.kafka}
        elsewhere = RunningPipeline(bootstrap, msgspec.structs.replace(settings, **here), embedder=False)
        elsewhere.directory = tmp_path
        is_over = threading.Event()

        def keep_busy() -> None:
            with first.producer() as producer:
                for n in itertools.count():
                    producer.click(f"user-{n % 20}", "tea")
                    if is_over.wait(0.02):
                        return

        busy = threading.Thread(target=keep_busy)
        busy.start()
        try:
            second = elsewhere.start_worker()
            code = first.children["worker-1"].process.wait(30)
            said = first.children["worker-1"].log.read_text()

            assert code == 2
            assert "instance_runs_twice instance=worker-1 other_at=127.0.0.1" in said
            assert "Traceback" not in said
            assert second.process.poll() is None
        finally:
            is_over.set()
            busy.join()
            for child in elsewhere.children.values():
                child.kill()


@pytest.mark.kafka
def test_a_worker_that_was_frozen_for_too_long_ends_without_having_written(bootstrap: str):
    """Stopped with work in hand for longer than its session: it wakes, wants to send, and ends. Nothing is lost."""
    log = zipf_log(n_events=4000, n_users=80, n_items=30, seed=11)
    settings = quick_settings(worker={"batch_events": 10, "session_timeout_s": 6.0}, user={"recent_events": 1024})
    written = ["recommendations", "item-signals", "item-knowledge", "head-weights", "rejected"]
    written += [f"stream-rec-{table}-state-changelog" for table in ("user", "item")]

    with RunningPipeline(bootstrap, settings, embedder=False) as running:
        counts = [Count(running, topic) for topic in written]
        worker = running.children["worker-1"]
        with running.producer() as producer:
            send(producer, log)
        counts[0].wait_for(counts[0]() + 20)  # it is in the middle of them
        worker.process.send_signal(signal.SIGSTOP)
        time.sleep(1.0)  # what was on its way has arrived
        before = [count() for count in counts]
        time.sleep(7.5)
        worker.process.send_signal(signal.SIGCONT)
        code = worker.process.wait(20)
        after = [count() for count in counts]
        for count in counts:
            count.__exit__()
        ended = worker.log.read_text(errors="replace")
        running.start_worker()
        running.wait_until_settled()

        assert code == 75
        assert "lost_lease" in ended
        assert dict(zip(written, after)) == dict(zip(written, before))
        assert_same_as_replay(running, log)
