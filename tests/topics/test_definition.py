"""The topic definitions: what is in ``topics/*.toml``, and the topics that settings ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_rec.config import Settings, WorkerSettings
from stream_rec.errors import FileProblem
from stream_rec.events.interaction import TOPIC_OF_KIND
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.topics.definition import all_topics, changelogs, load
from stream_rec.topics.schema import MESSAGES

TOPICS = {topic.name: topic for topic in load()}

MINIMAL = 'name = "t"\ndescription = ""\nkey = "k"\nwritten_by = []\nread_by = []\nschema = "binary"\n'


def test_the_topics_are_those_of_the_design():
    """Apps, stages and docs count on these names."""
    assert set(TOPICS) == {
        *("views", "clicks", "purchases", "impressions", "searches", "profiles", "forget", "items", "rules"),
        *("recommendations", "surfaces", "receipts", "rejected", "status"),
        *("item-embeddings", "item-signals", "item-knowledge", "head-weights"),
    }
    assert set(TOPIC_OF_KIND.values()) <= set(TOPICS)


@pytest.mark.parametrize(
    "name", ["views", "clicks", "purchases", "impressions", "searches", "forget", "items", "rules"]
)
def test_what_apps_write_carries_the_brokers_time(name: str):
    """ "Too far in the future" is measured on the broker's clock, so that a replay decides as the first time did."""
    spec = TOPICS[name].spec(KafkaSettings())

    assert "apps" in TOPICS[name].written_by
    assert spec.config["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_a_topic_that_nothing_reads_says_so(topic):
    """Nobody should wait for something to happen to what they send there."""
    assert ("nothing" in topic.description and "yet" in topic.description) == (not topic.read_by)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_a_schema_is_one_that_is_generated(topic):
    """A definition points to a file that exists."""
    assert topic.is_binary or topic.schema in MESSAGES


def test_all_topics_of_settings_have_their_prefix_partitions_and_replicas():
    """All topics of a pipeline are partitioned alike, the changelogs of the worker's tables among them."""
    settings = Settings(
        kafka=KafkaSettings(topic_prefix="shop.", partitions=6, replication_factor=3),
        worker=WorkerSettings(app_id="rec"),
    )

    topics = all_topics(settings)

    assert {(topic.partitions, topic.replication_factor) for topic in topics} == {(6, 3)}
    assert [topic.name for topic in topics if topic.name.endswith("-changelog")] == [
        "shop.rec-user-state-changelog",
        "shop.rec-item-state-changelog",
    ]
    assert "shop.views" in {topic.name for topic in topics}
    assert len({topic.name for topic in topics}) == len(TOPICS) + 2


def test_a_changelog_is_compacted_and_nothing_else():
    """Were old records deleted as well, a recovery would wait for ever for the last one."""
    for changelog in changelogs("rec"):
        config = changelog.spec(KafkaSettings()).config

        assert config["cleanup.policy"] == "compact"
        assert "retention.ms" not in config


def test_retention_is_given_to_the_broker_in_milliseconds():
    """30 days of rejected records are 30 * 24 * 3600 * 1000 ms."""
    assert TOPICS["rejected"].spec(KafkaSettings()).config["retention.ms"] == "2592000000"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('cleanup = "delete"', "`retention` if and only if"),
        ('cleanup = "compact"\nretention = "7d"', "`retention` if and only if"),
        ('cleanup = "delete"\nretention = "a week"', "hours or days"),
        ('cleanup = "delete"\nretention = "7d"\npartitions = 8', "unknown field `partitions`"),
        ('cleanup = "keep"', "Invalid enum value"),
        ("cleanup = ", "Invalid value"),
    ],
)
def test_a_wrong_definition_is_refused_with_its_file(tmp_path: Path, lines: str, complaint: str):
    """An error in a definition says which file to correct, and how."""
    (tmp_path / "t.toml").write_text(MINIMAL + lines)

    with pytest.raises(FileProblem, match=complaint) as error:
        load(tmp_path)

    assert str(tmp_path / "t.toml") in str(error.value)


def test_a_file_has_the_name_of_its_topic(tmp_path: Path):
    """Whoever looks for a topic finds its file by name."""
    (tmp_path / "other.toml").write_text(MINIMAL + 'cleanup = "compact"')

    with pytest.raises(FileProblem, match=r"call the file t\.toml"):
        load(tmp_path)


def test_a_missing_folder_says_what_to_do(tmp_path: Path):
    """A copy without the repository's topics/ is no installation."""
    with pytest.raises(FileProblem, match="install the wheel"):
        load(tmp_path / "files")
