"""A pipeline that was moved by a snapshot goes on as if it had never moved."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from stream_rec.cli import cli
from stream_rec.config import Settings
from stream_rec.errors import NotAtRest, StreamRecError, TopicMismatch, TopicsInUse
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.search import Search
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.topics.admin import create
from stream_rec.user import seen
from tests.kafka.logs import DAY_MS, catalog_of, send, zipf_log
from tests.kafka.outcome import assert_same_as, replayed
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka


def run(settings: Settings, *arguments: object) -> Result:
    """Call `stream-rec snapshot` on a pipeline's topics."""
    kafka = settings.kafka
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix]
    environ = {"STREAM_REC_KAFKA_PARTITIONS": str(kafka.partitions)}
    return CliRunner().invoke(cli, [*address, "snapshot", *map(str, arguments)], env=environ)


def refusal(result: Result, kind: type[StreamRecError]) -> str:
    """Return the message of a command that ended with an error."""
    assert isinstance(result.exception, kind), result.output + repr(result.exception)
    return str(result.exception)


def lists(running: RunningPipeline) -> dict[str, list[str]]:
    """Return the items of each user's list."""
    slates = {key: msgspec.json.decode(v, type=Slate) for key, v in running.read_compacted("recommendations").items()}
    return {
        user_id: [item.item_id for item in slate.items] for user_id, slate in slates.items() if user_id != DEFAULT_LIST
    }


def test_a_move_to_another_number_of_partitions(bootstrap: str, tmp_path: Path) -> None:
    """Half a log, a move from four partitions to three, and the other half: as the replay of the whole log.

    With 16 recent events states hold entries that have left them. Of clicks and searches there is no common order, so
    these are asked before all of the log, and others after the move. Each user's last event of the first half is sent
    again after the move, from offsets that others had before; some of the second half are there before the import.
    """
    log = zipf_log(n_events=1600, n_users=60, n_items=40, seed=11, kinds=[Kind.CLICK])
    first, second = log[:800], log[800:]
    begins_ms, ends_ms = log[0].event.timestamp_ms, log[-1].event.timestamp_ms
    asked = [Search(f"s{n}", f"user-{n % 60}", f"query {n % 7}", begins_ms - DAY_MS + n) for n in range(600)]
    asked_later = [Search(f"l{n}", f"user-{n}", "later", ends_ms + DAY_MS, "item-1") for n in range(30)]
    assert not moments(first) & moments(second)  # in one millisecond there is no order that both sides could know
    again = list({logged.event.user_id: logged for logged in first}.values())
    quiet = LoggedEvent(Kind.CLICK, Interaction("quiet", "quiet", "item-1", second[0].event.timestamp_ms))
    file = tmp_path / "state.snapshot"

    with RunningPipeline(bootstrap, quick_settings(user={"recent_events": 16}, kafka={"partitions": 4})) as before:
        with before.producer() as producer:
            for item in catalog_of(log):
                producer.item(item)
            send(producer, [*asked, *first, quiet])
        assert "worker-1 of group" in refusal(run(before.settings, "export", file, "--wait", 0), NotAtRest)
        before.wait_until_settled()
        for child in before.children.values():
            assert child.stop() == 0

        result = run(before.settings, "export", file)
        assert result.exit_code == 0, result.output
        users, shown = before.user_states(), lists(before)
        assert any(state.pending for state in users.values())
        heads, embeddings = (before.read_compacted(name) for name in ("head-weights", "item-embeddings"))
        n_records = len(users) + sum(seen.n_chunks(state.n_archived) for state in users.values())
        assert f"{n_records} user-state" in result.output and len(heads) and len(embeddings) == 40

    after = RunningPipeline(
        bootstrap, quick_settings(user={"recent_events": 16}, kafka={"partitions": 3}), workers=0, embedder=False
    )
    message = refusal(run(after.settings, "import", file), TopicMismatch)
    assert "there is no topic" in message and "create it with `stream-rec topics create`" in message
    create(after.settings)
    with after.producer() as producer:
        send(producer, [*asked[-60:], *again, *second[:100]])
    assert "nothing was written" in run(after.settings, "import", file, "--dry-run").output
    result = run(after.settings, "import", file)
    assert result.exit_code == 0, result.output
    message = refusal(run(after.settings, "import", file), TopicsInUse)
    assert f"{after.settings.kafka.topic('stream-rec-user-state-changelog')} ({n_records})" in message
    assert_same_as(after, replayed(after.settings, [*asked, *first, quiet]))
    assert lists(after) == shown
    assert (after.read_compacted("head-weights"), after.read_compacted("item-embeddings")) == (heads, embeddings)

    with after:
        after.start_worker()
        assert "worker-1 of group" in refusal(run(after.settings, "import", file), NotAtRest)
        with after.producer() as producer:
            send(producer, [*second[100:], *asked_later])
        after.wait_until_settled()

        assert_same_as(after, replayed(after.settings, [*asked, *first, quiet, *again, *second, *asked_later]))
        assert [len(after.user_states()[f"user-{n}"].recent_searches) for n in (0, 59)] == [11, 10]
        assert lists(after)["quiet"] == shown["quiet"]


def moments(log: list[LoggedEvent]) -> set[tuple[str, int]]:
    """Return users and times of a log."""
    return {(event.user_id, event.timestamp_ms) for _, event in log}
