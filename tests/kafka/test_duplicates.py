"""One `event_id` of one user counts once, through real Kafka: however old the event, whoever dies, after a move too."""

from __future__ import annotations

import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream_rec.cli import cli
from stream_rec.config import Settings
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.topics.admin import create
from stream_rec.user import seen
from tests.kafka.logs import send
from tests.kafka.outcome import assert_same_as, replayed
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

T = 1_700_000_000_000
USERS = [f"user-{number}" for number in range(5)]
SETTINGS = quick_settings(user={"weekly_training_events": 1_000})
"""Every event teaches, so that items' counts are those of events."""


def event(user: str, number: int, kind: Kind) -> LoggedEvent:
    """Return a numbered event of one user; clicks are older than views."""
    at = T + 1000 * number if kind == Kind.VIEW else T - 1000 * number
    return LoggedEvent(kind, Interaction(f"{kind.label}-{number}", user, f"item-{number % 7}", at))


def counted(running: RunningPipeline) -> tuple[dict[str, tuple[int, ...]], Counter[int]]:
    """Return how many events by kind of each user, and of all items, are counted."""
    of_items: Counter[int] = Counter()
    for state in running.item_states().values():
        of_items.update(dict(enumerate(state.counts)))
    return {user: state.counts for user, state in running.user_states().items()}, of_items


def chunks(running: RunningPipeline) -> list[bytes]:
    """Return the keys of the users' archives, as the changelog has them."""
    records = running._read(f"{running.settings.worker.app_id}-user-state-changelog")
    return [record.key for record in records if record.key.startswith(seen.PREFIX)]


def test_old_clicks_that_come_twice_count_once(bootstrap: str) -> None:
    """80 views, then ten clicks from before them, each twice in a row, for every user: ten clicks, and ten of items."""
    views = [event(user, number, Kind.VIEW) for user in USERS for number in range(80)]
    clicks = [event(user, number, Kind.CLICK) for user in USERS for number in range(10) for _ in range(2)]
    with RunningPipeline(bootstrap, SETTINGS, embedder=False) as running, running.producer() as producer:
        send(producer, views)
        running.wait_until_settled()
        send(producer, clicks)
        running.wait_until_settled()

        users, of_items = counted(running)
        assert users == dict.fromkeys(USERS, (80, 10, 0))
        assert of_items == {Kind.VIEW: 400, Kind.CLICK: 50, Kind.PURCHASE: 0}


def test_everything_again_after_a_kill_and_after_a_move(bootstrap: str, tmp_path: Path) -> None:
    """300 events of each user in three topics, twice; a kill, and all again; a move to three partitions, and all again.

    Each user has had an archive by then. What is new after each of these counts.
    """
    kinds = (Kind.VIEW, Kind.CLICK)
    log = [event(user, number, kind) for number in range(150) for user in USERS for kind in kinds]
    file = tmp_path / "state.snapshot"
    with RunningPipeline(bootstrap, SETTINGS, embedder=False) as running, running.producer() as producer:
        send(producer, [logged for logged in log for _ in range(2)])
        running.children["worker-1"].process.send_signal(signal.SIGKILL)
        running.children["worker-1"].process.wait()
        running.start_worker(wait=False)
        send(producer, shuffled(log, 1))
        running.wait_until_settled()
        assert {key for key in map(seen.user_key_of, chunks(running))} == {user.encode() for user in USERS}
        assert_same_as(running, replayed(running.settings, log), ordered=False)
        for child in running.children.values():
            assert child.stop() == 0
        assert snapshot(running.settings, "export", file) == 0
        before = running.user_states()

    moved = quick_settings(user={"weekly_training_events": 1_000}, kafka={"partitions": 3})
    after = RunningPipeline(bootstrap, moved, workers=0, embedder=False)
    create(after.settings)
    assert snapshot(after.settings, "import", file) == 0
    with after, after.producer() as producer:
        after.start_worker()
        send(producer, shuffled(log, 2))
        more = [event(user, 999, kind) for user in USERS for kind in kinds]
        send(producer, [*more, *more])
        after.wait_until_settled()
        users, of_items = counted(after)
        assert users == {user: (151, 151, 0) for user in USERS}
        assert of_items == {Kind.VIEW: 755, Kind.CLICK: 755, Kind.PURCHASE: 0}
        assert all(after.user_states()[user].n_archived >= before[user].n_archived > 0 for user in USERS)


def snapshot(settings: Settings, *arguments: object) -> int:
    """Call `stream-rec snapshot`; return its exit code."""
    kafka = settings.kafka
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix]
    environ = {"STREAM_REC_KAFKA_PARTITIONS": str(kafka.partitions)}
    result = CliRunner().invoke(cli, [*address, "snapshot", *map(str, arguments)], env=environ)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.exit_code


def shuffled(log: list[LoggedEvent], seed: int) -> list[LoggedEvent]:
    """Return a log in another order."""
    return random.Random(seed).sample(log, len(log))
