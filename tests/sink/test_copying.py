"""A target holds what the topics say: after any crash, whoever else writes, and whatever becomes of the topics."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stream_rec.errors import BrokerUnavailable, NewerVersion, SettingsError, StateVersionError, TargetUnavailable
from stream_rec.sink.bookmark import MOST_AGE_MS, decode
from stream_rec.sink.copying import LOOK_MS, Copier, CopyCounts
from stream_rec.sink.target import BookmarkChanged
from stream_rec.topics.definition import load
from tests.sink.fakes import DAY_MS, TOPICS, FakeCluster, FakeSource, FakeTarget, list_of, surfaces_of

USERS = ("ann", "bob", "eve", "*")


def copier_of(cluster: FakeCluster, target: FakeTarget, counts: CopyCounts | None = None) -> Copier:
    return Copier(FakeSource(cluster), target, TOPICS, counts or CopyCounts(), now_ms=lambda: cluster.now_ms)


def copy_all(cluster: FakeCluster, target: FakeTarget) -> Copier:
    """Copy until all that there is has been copied, as a process that has just started."""
    copier = copier_of(cluster, target)
    copier.resume()
    for _ in range(500):
        copier.step(0.0)
        if copier.is_current:
            return copier
    raise AssertionError("it came to no end")


class Copying(RuleBasedStateMachine):
    """Two processes at one target, either of which is started anew at any moment; and all that happens to topics."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster, self.target = FakeCluster(), FakeTarget()
        self.copiers: list[Copier | None] = [None, None]
        self.saved = self.target.values.copy(), self.target.bookmark
        self.n = 0

    @rule(user=st.sampled_from(USERS))
    def publish(self, user: str) -> None:
        self.n += 1
        self.cluster.lists.put(user, list_of(user, at_ms=1_700_000_000_000 + self.n))

    @rule(user=st.sampled_from(USERS))
    def push(self, user: str) -> None:
        self.n += 1
        self.cluster.surfaces.put(user, surfaces_of(user, at_ms=1_700_000_000_000 + self.n))

    @rule(user=st.sampled_from(USERS))
    def delete(self, user: str) -> None:
        self.cluster.lists.put(user, None)
        self.cluster.surfaces.put(user, None)

    @rule()
    def compact(self) -> None:
        for topic in self.cluster.topics.values():
            topic.compact(self.cluster.now_ms)

    @rule(name=st.sampled_from(list(TOPICS)))
    def make_again(self, name: str) -> None:
        self.cluster.make_again(name)

    @rule(ms=st.sampled_from([1, LOOK_MS, DAY_MS, 5 * DAY_MS, 8 * DAY_MS]))
    def wait(self, ms: int) -> None:
        self.cluster.now_ms += ms

    @rule(which=st.sampled_from([0, 1]))
    def start(self, which: int) -> None:
        """Kill a process, if it runs, and start it."""
        self.copiers[which] = copier_of(self.cluster, self.target)
        self._try(which, begins=True)

    @rule(which=st.sampled_from([0, 1]), times=st.integers(1, 4))
    def step(self, which: int, times: int) -> None:
        for _ in range(times):
            self._try(which)

    @rule(how=st.sampled_from(["before", "after"]))
    def fail(self, how: str) -> None:
        self.target.fails = how

    @rule()
    def save(self) -> None:
        self.saved = self.target.values.copy(), self.target.bookmark

    @rule()
    def restore(self) -> None:
        """A target that falls back to what it once was, as at a failover."""
        values, self.target.bookmark = self.saved
        self.target.values = values.copy()

    def _try(self, which: int, *, begins: bool = False) -> None:
        if (copier := self.copiers[which]) is None:
            return
        try:
            copier.resume() if begins else copier.step(0.0)
        except (BookmarkChanged, TargetUnavailable):
            try:
                copier.resume()
            except (BookmarkChanged, TargetUnavailable):
                self.copiers[which] = None

    @invariant()
    def holds_what_the_topics_said_at_the_bookmark(self) -> None:
        """Exactly: where a topic still is the one that the bookmark means, and nothing is left of those before it."""
        if self.target.bookmark is None:
            return
        for name, reading in decode(self.target.bookmark).readings.items():
            topic = self.cluster.topics[name]
            reached = {number: each.next_offset for number, each in reading.partitions.items()}
            is_the_same = reading.topic_id == topic.topic_id
            # What was deleted long ago, and has left the topic unread, goes when the process has looked.
            is_fresh = all(self.cluster.now_ms - each.current_ms < DAY_MS * 6 for each in reading.partitions.values())
            if reading.is_whole and is_the_same and is_fresh:
                held = {user: value for (kind, user), value in self.target.held.items() if kind == TOPICS[name]}
                said = topic.newest(reached)
                # Of a user whose next record is not copied yet, the broker may have dropped the one before.
                unknown = topic.dropped_for_a_later_one(reached)
                assert {user: held.get(user) for user in (held | said).keys() - unknown} == {
                    user: said.get(user) for user in (held | said).keys() - unknown
                }

    def teardown(self) -> None:
        self.target.fails = ""
        copy_all(self.cluster, self.target)
        assert self.target.held == self.cluster.newest()


TestCopying = Copying.TestCase
TestCopying.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def test_what_is_there_is_copied_and_deletions_delete():
    """The newest of each user, of both topics, the default list among them."""
    cluster, target = FakeCluster(), FakeTarget()
    cluster.lists.put("ann", list_of("ann", "cup"))
    cluster.lists.put("bob", list_of("bob", "cup"))
    newest = cluster.lists.put("ann", list_of("ann", "pot")).value
    cluster.lists.put("*", list_of("*", "pot"))
    cluster.lists.put("bob", None)
    cluster.surfaces.put("ann", surfaces_of("ann", "cup"))

    copy_all(cluster, target)

    assert target.held == cluster.newest()
    assert target.held["recommendations", "ann"] == newest and ("recommendations", "bob") not in target.held
    assert set(target.held) == {("recommendations", "ann"), ("recommendations", "*"), ("surfaces", "ann")}


def test_what_is_counted_is_what_was_done():
    """One of each user in a batch is put; what is no list is rejected, and the one before stays."""
    cluster, target, counts = FakeCluster(n_partitions=1), FakeTarget(), CopyCounts()
    copier = copier_of(cluster, target, counts)
    kept = cluster.lists.put("ann", list_of("ann", "cup")).value
    cluster.lists.put("bob", list_of("bob"))
    cluster.lists.put("bob", None)
    for key, value in (("ann", b"{}"), ("ann", b"\xff"), ("ann", kept.replace(b"cup", b"c\0p")), (b"\xff", kept)):
        cluster.lists.put(key, value)
    cluster.lists.put("ann", kept.replace(b"1700000000000", b"-1", 1).replace(b":1700000000000", b":-1"))
    for key in (None, "", "a" * 2000, "a\0b"):
        cluster.lists.put(key, kept)

    copier.resume()
    assert copier.lag == {"recommendations": 12, "surfaces": 0} and copier.n_open == 12
    while not copier.is_current:
        copier.step(0.0)

    assert target.held == {("recommendations", "ann"): kept}
    assert (counts.taken, counts.written, counts.deleted) == (
        {"recommendations": 12},
        {"recommendations": 1},
        {"recommendations": 1},
    )
    assert counts.rejected == {"not_a_list": 3, "bad_id": 5, "bad_timestamp": 1}
    assert copier.lag == {"recommendations": 0, "surfaces": 0}


def test_a_value_of_a_late_process_is_not_put():
    """It had read an older list before the other one wrote the newer."""
    cluster, target = FakeCluster(), FakeTarget()
    late, other = copier_of(cluster, target), copier_of(cluster, target)
    late.resume()
    other.resume()
    cluster.lists.put("ann", list_of("ann", "cup"))
    other.step(0.0)
    cluster.lists.put("ann", list_of("ann", "pot"))
    other.step(0.0)

    with pytest.raises(BookmarkChanged):
        late.step(0.0)
    assert target.held == cluster.newest()

    cluster.lists.put("ann", list_of("ann", "jug"))
    late.resume()
    late.step(0.0)
    assert target.held == cluster.newest()


def test_what_a_generation_before_has_left_goes_when_the_new_one_is_read():
    """Not before: apps read on until then."""
    cluster, target = FakeCluster(n_partitions=1), FakeTarget()
    for user in ("ann", "bob", "eve", "dan"):
        cluster.lists.put(user, list_of(user))
    copy_all(cluster, target)
    cluster.make_again("t-recommendations")
    for user in ("bob", "eve", "fay", "gus"):
        cluster.lists.put(user, list_of(user, "pot"))
    copier = copier_of(cluster, target)

    copier.resume()
    assert set(user for _, user in target.held) == {"ann", "bob", "eve", "dan"} and not copier.is_current
    copier.step(0.0)
    assert ("recommendations", "ann") in target.held and ("recommendations", "fay") in target.held
    copier.step(0.0)

    assert copier.is_current and target.held == cluster.newest()


def test_a_topic_that_is_made_again_under_a_process_is_read_from_its_beginning():
    """Though it has more records by then than the one before had."""
    cluster, target = FakeCluster(n_partitions=1), FakeTarget()
    cluster.lists.put("ann", list_of("ann"))
    copier = copy_all(cluster, target)
    cluster.make_again("t-recommendations")
    for user in ("bob", "eve"):
        cluster.lists.put(user, list_of(user))

    copier.step(0.0)
    cluster.now_ms += LOOK_MS
    copier.step(0.0)
    copier.step(0.0)

    assert target.held == cluster.newest()


def test_who_was_away_for_long_reads_all_again():
    """The broker drops deletions after a week: their users would stay in the target for ever."""
    cluster, target = FakeCluster(), FakeTarget()
    for user in ("ann", "bob"):
        cluster.lists.put(user, list_of(user))
    copy_all(cluster, target)
    cluster.lists.put("ann", None)
    for _ in range(2):
        cluster.lists.compact(cluster.now_ms)
        cluster.now_ms += 8 * DAY_MS
    cluster.lists.compact(cluster.now_ms)
    assert all(record.value for records in cluster.lists.left.values() for record in records)

    copy_all(cluster, target)

    assert target.held == cluster.newest() == {("recommendations", "bob"): list_of("bob")}


def test_who_waits_at_the_end_is_up_to_date_however_old_the_last_record_is():
    """Nothing is read again after a quiet week."""
    cluster, target = FakeCluster(), FakeTarget()
    cluster.lists.put("ann", list_of("ann"))
    copier = copy_all(cluster, target)
    for _ in range(30):
        cluster.now_ms += DAY_MS
        copier.step(0.0)

    copy_all(cluster, target)

    assert {reading.generation for reading in decode(target.bookmark).readings.values()} == {1}


def test_partitions_that_were_added_are_read():
    """From their beginning; the others go on."""
    cluster, target = FakeCluster(n_partitions=1), FakeTarget()
    cluster.lists.put("ann", list_of("ann"))
    copier = copy_all(cluster, target)
    for name, value in (("history", []), ("left", []), ("begins", 0)):
        getattr(cluster.lists, name)[1] = value
    added = next(f"u{n}" for n in range(99) if cluster.lists.put(f"u{n}", list_of(f"u{n}")).partition == 1)

    cluster.now_ms += LOOK_MS
    for _ in range(9):
        copier.step(0.0)

    assert ("recommendations", added) in target.held and target.held == cluster.newest()
    assert decode(target.bookmark).readings["t-recommendations"].generation == 1


def test_a_log_that_begins_behind_the_bookmark_is_read_anew():
    """As after somebody has had records deleted."""
    cluster, target = FakeCluster(n_partitions=1), FakeTarget()
    cluster.lists.put("ann", list_of("ann"))
    copy_all(cluster, target)
    for user in ("ann", "bob", "eve"):
        cluster.lists.put(user, None if user == "ann" else list_of(user))
    cluster.lists.begins[0] = 2
    cluster.lists.left[0] = cluster.lists.left[0][2:]

    copy_all(cluster, target)

    assert {user for _, user in target.held} == {"bob", "eve"}


def test_a_target_of_another_pipeline_is_left_alone():
    """Two pipelines at one target would undo each other's lists for ever."""
    cluster, target = FakeCluster(), FakeTarget()
    copy_all(cluster, target)
    topics = {f"other-{name}": short for name, short in TOPICS.items()}
    other = Copier(FakeSource(cluster), target, topics, CopyCounts(), now_ms=lambda: 0)

    with pytest.raises(SettingsError, match=r"t-recommendations, t-surfaces say, .* another sink\.prefix"):
        other.resume()


@pytest.mark.parametrize(
    ("stored", "error"),
    [(b"", StateVersionError), (b'{"version": 1}', StateVersionError), (b'{"version": 2, "new": 1}', NewerVersion)],
)
def test_a_bookmark_that_is_none_of_ours_is_not_gone_by(stored: bytes, error: type[Exception]):
    """A person decides whether it is deleted."""
    cluster, target = FakeCluster(), FakeTarget()
    target.bookmark = stored

    with pytest.raises(error):
        copier_of(cluster, target).resume()


def test_a_broker_that_does_not_say_how_far_topics_go_is_not_taken_for_one_without_news():
    """The bookmark does not say then that it was the end."""
    cluster, target = FakeCluster(), FakeTarget()
    source = FakeSource(cluster)
    copier = Copier(source, target, TOPICS, CopyCounts(), now_ms=lambda: cluster.now_ms)
    copier.resume()
    before = target.bookmark
    cluster.now_ms += LOOK_MS
    source.failure = BrokerUnavailable("away")

    with pytest.raises(BrokerUnavailable):
        copier.step(0.0)

    assert target.bookmark == before


def test_only_who_is_at_the_end_has_heard_of_all_deletions():
    """Who reads for a week without coming there may have missed some."""
    cluster, target = FakeCluster(n_partitions=1), FakeTarget()
    for n in range(9):
        cluster.lists.put(f"u{n}", list_of(f"u{n}"))
    began_ms = cluster.now_ms
    copier = Copier(FakeSource(cluster, 1), target, TOPICS, CopyCounts(), now_ms=lambda: cluster.now_ms)
    copier.resume()

    for _ in range(8):
        cluster.now_ms += LOOK_MS
        copier.step(0.0)
        assert decode(target.bookmark).readings["t-recommendations"].partitions[0].current_ms == began_ms
    copier.step(0.0)

    assert decode(target.bookmark).readings["t-recommendations"].partitions[0].current_ms == cluster.now_ms


def test_the_end_is_as_old_as_the_question_where_it_is():
    """What comes while the broker answers may be a deletion."""
    cluster, target = FakeCluster(), FakeTarget()
    source = FakeSource(cluster)
    copier = Copier(source, target, TOPICS, CopyCounts(), now_ms=lambda: cluster.now_ms)
    source.takes_ms = 2 * LOOK_MS
    asked_ms = cluster.now_ms

    copier.resume()

    for reading in decode(target.bookmark).readings.values():
        assert {each.current_ms for each in reading.partitions.values()} == {asked_ms}


@pytest.mark.parametrize("name", TOPICS.values())
def test_deletions_stay_longer_than_a_bookmark_is_gone_by(name: str):
    """As the topics are defined."""
    [topic] = [each for each in load() if each.name == name]

    assert int(topic.config["delete.retention.ms"]) - DAY_MS >= MOST_AGE_MS
