"""Creating and checking topics on a real broker."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from stream_rec.cli import cli
from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable, NotAllowed, SettingsError, TopicMismatch
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.topics.admin import Difference, compare, create, differences
from stream_rec.topics.definition import all_topics


@pytest.fixture
def settings(bootstrap: str) -> Iterator[Settings]:
    """Settings with a prefix of their own; the topics below it are deleted afterwards."""
    prefix = f"t{uuid4().hex[:8]}."
    yield Settings(kafka=KafkaSettings(bootstrap=bootstrap, topic_prefix=prefix, partitions=2))
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        ours = [name for name in admin.list_topics() if name.startswith(prefix)]
        if ours:
            admin.delete_topics(ours)


def make_topic(settings: Settings, name: str, *, partitions: int, config: dict[str, str]) -> str:
    """Create one topic by hand, as a person would, and return its full name."""
    full_name = settings.kafka.topic(name)
    asked = {"num_partitions": partitions, "replication_factor": 1, "configs": config}
    with KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap) as admin:
        admin.create_topics({full_name: asked}, wait_for_metadata=True)
    return full_name


def topics_command(settings: Settings, *args: str) -> Result:
    """Run `stream-rec topics ARGS` with two partitions."""
    kafka = settings.kafka
    flags = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix, "topics", *args]
    return CliRunner(env={"STREAM_REC_KAFKA_PARTITIONS": str(kafka.partitions)}).invoke(cli, flags)


@pytest.mark.kafka
def test_after_create_the_check_is_clean(settings: Settings):
    """What is created is what is defined, config for config."""
    created = create(settings)

    assert created == [topic.name for topic in all_topics(settings)]
    assert differences(settings) == []


@pytest.mark.kafka
def test_create_returns_when_every_partition_has_a_leader(settings: Settings):
    """Whoever writes right after it is not told that the topic is unknown."""
    names = create(settings)

    with KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap) as admin:
        partitions = [p for topic in admin.describe_topics(names) for p in topic["partitions"]]
    assert len(partitions) == 2 * len(names)
    assert all(partition["leader_id"] >= 0 for partition in partitions)


@pytest.mark.kafka
def test_a_second_create_creates_nothing(settings: Settings):
    """It can be run at every start."""
    create(settings)

    assert create(settings) == []


@pytest.mark.kafka
def test_create_adds_only_what_is_missing(settings: Settings):
    """A topic that is there stays as it is, whatever it is like."""
    views = make_topic(settings, "views", partitions=3, config={})

    created = create(settings)

    assert views not in created
    assert len(created) == len(all_topics(settings)) - 1
    assert Difference(views, "partitions", "2", "3") in compare(settings)


@pytest.mark.kafka
def test_every_missing_topic_is_named(settings: Settings):
    """A check before the first create says what to do."""
    found = differences(settings)

    assert len(found) == len(all_topics(settings))
    assert all(line.endswith("missing: run `stream-rec topics create`") for line in found)


@pytest.mark.kafka
def test_wrong_topics_are_named_and_left_alone(settings: Settings):
    """Wrong partitions and a wrong cleanup are both found, by create and by check; neither alters anything."""
    views = make_topic(
        settings, "views", partitions=3, config={"message.timestamp.type": "LogAppendTime", "retention.ms": "604800000"}
    )
    items = make_topic(settings, "items", partitions=2, config={"cleanup.policy": "delete"})

    for command in ("create", "check"):
        result = topics_command(settings, command)

        assert result.exit_code == 1, result.output
        assert f"{views}: partitions is 3, expected 2: set [kafka] partitions = 3" in result.stdout
        assert f"{items}: cleanup.policy is delete, expected compact: run kafka-configs.sh" in result.stdout
        assert "2 of 20 topics are not as defined; nothing was altered" in result.stdout
    assert {difference.topic for difference in compare(settings)} == {views, items}
    assert Difference(views, "partitions", "2", "3") in compare(settings)
    assert Difference(items, "cleanup.policy", "compact", "delete") in compare(settings)


@pytest.mark.kafka
def test_the_commands_say_what_they_did(settings: Settings):
    """Exit 0, one line per topic, and the verdict; as JSON for scripts."""
    first, second = topics_command(settings, "create"), topics_command(settings, "create")
    check, as_json = topics_command(settings, "check"), topics_command(settings, "check", "--json")

    assert [result.exit_code for result in (first, second, check, as_json)] == [0, 0, 0, 0], first.output
    views = settings.kafka.topic("views")
    assert f"created: {views}\n" in first.stdout
    assert f"already there: {views}\n" in second.stdout
    assert check.stdout == "all 20 topics are as defined\n"
    assert json.loads(as_json.stdout) == {"ok": True, "topics": 20, "differences": []}


@pytest.mark.kafka
def test_check_as_json_names_each_difference(settings: Settings):
    """A script sees what is missing, and the exit code too."""
    result = topics_command(settings, "check", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["ok"] is False
    assert report["differences"][0] == {
        "topic": settings.kafka.topic("clicks"),
        "what": "topic",
        "expected": "there",
        "found": "missing",
        "remedy": "run `stream-rec topics create`",
    }


@pytest.mark.kafka
def test_more_replicas_than_brokers_is_an_error_before_anything_is_created(settings: Settings, bootstrap: str):
    """It says which setting to change, and no half of the topics is left behind."""
    prefix = settings.kafka.topic_prefix
    greedy = Settings(kafka=KafkaSettings(bootstrap=bootstrap, topic_prefix=prefix, replication_factor=30_000))

    with pytest.raises(SettingsError, match=r"replication_factor = 30000.*at most the number of brokers"):
        create(greedy)

    assert len(differences(settings)) == len(all_topics(settings))


@pytest.mark.kafka
def test_one_topic_that_the_broker_refuses_stops_all(settings: Settings):
    """Kafka takes no two names that differ in dot and underscore only; nothing is created beside the one refused."""
    collides = settings.kafka.topic_prefix.replace(".", "_") + "views"
    with KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap) as admin:
        admin.create_topics({collides: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)

        with pytest.raises(TopicMismatch, match=rf"refuses to create topic {settings.kafka.topic('views')}.*collides"):
            create(settings)

        admin.delete_topics([collides])
    assert len(differences(settings)) == len(all_topics(settings))


@pytest.mark.kafka
def test_fewer_replicas_than_asked_for_are_a_difference(settings: Settings, bootstrap: str):
    """Topics made on a laptop's settings are not safe in production."""
    create(settings)
    kafka = KafkaSettings(
        bootstrap=bootstrap, topic_prefix=settings.kafka.topic_prefix, partitions=2, replication_factor=2
    )

    found = compare(Settings(kafka=kafka))

    assert {(difference.what, difference.expected, difference.found) for difference in found} == {
        ("replication factor", "2", "1")
    }


@pytest.mark.kafka
def test_what_would_refuse_or_lose_records_one_day_is_a_difference(settings: Settings):
    """Though no definition sets it: small messages, too many replicas in sync, retention by size, unclean elections.

    Larger messages and any codec are none; a compacted topic loses nothing by size.
    """
    dangerous = {
        "max.message.bytes": "1048587",
        "min.insync.replicas": "2",
        "retention.bytes": "1000000",
        "unclean.leader.election.enable": "true",
    }
    harmless = {"max.message.bytes": "4000000", "compression.type": "zstd", "retention.bytes": "1000000"}
    create(settings)
    specs = {topic.name: topic for topic in all_topics(settings)}
    views, items = settings.kafka.topic("views"), settings.kafka.topic("items")
    with KafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap) as admin:
        for name, config in ((views, dangerous), (items, harmless)):
            resource = ConfigResource(ConfigResourceType.TOPIC, name, {**specs[name].config, **config})
            altered = admin.alter_configs([resource])
            assert "Error" not in str(altered), altered

    deadline = time.monotonic() + 20  # the broker knows of a change before it shows it
    while len(found := compare(settings)) < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found == [
        Difference(views, "max.message.bytes", "1048588", "1048587"),
        Difference(views, "min.insync.replicas", "1", "2"),
        Difference(views, "retention.bytes", "-1", "1000000"),
        Difference(views, "unclean.leader.election.enable", "false", "true"),
    ]


@pytest.mark.kafka
def test_configs_that_may_not_be_seen_are_not_said_to_differ(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """Without the permission to see them the broker tells none, and all would seem to be unset."""
    create(settings)
    describe = KafkaAdminClient.describe_topics
    clicks = settings.kafka.topic("clicks")

    def hiding(admin: KafkaAdminClient, names: list[str]) -> list[dict[str, object]]:
        found = describe(admin, names)
        next(topic for topic in found if topic["name"] == clicks)["authorized_operations"].remove("DESCRIBE_CONFIGS")
        return found

    monkeypatch.setattr(KafkaAdminClient, "describe_topics", hiding)
    with pytest.raises(NotAllowed, match=rf"may not see the configs of {clicks} at .*`stream-rec topics acls`"):
        compare(settings)


@pytest.mark.kafka
def test_a_prefix_that_kafka_does_not_take_is_named(bootstrap: str):
    """Topic names have letters, digits, dots, dashes and underscores."""
    with pytest.raises(TopicMismatch, match=r"correct \[kafka\] topic_prefix"):
        create(Settings(kafka=KafkaSettings(bootstrap=bootstrap, topic_prefix="a/")))


def test_list_asks_no_broker():
    """What should be there can be read anywhere."""
    result = CliRunner().invoke(
        cli, ["--bootstrap", "127.0.0.1:1", "--topic-prefix", "shop.", "topics", "list", "--json"]
    )

    assert result.exit_code == 0
    specs = {spec["name"]: spec for spec in json.loads(result.stdout)}
    assert specs["shop.items"]["config"]["cleanup.policy"] == "compact"
    assert "shop.stream-rec-user-state-changelog" in specs


@pytest.mark.parametrize("command", ["create", "check"])
def test_no_broker_is_said_within_ten_seconds(command: str):
    """kafka-python's own patience is much longer."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but not listening
        settings = Settings(kafka=KafkaSettings(bootstrap=f"127.0.0.1:{nobody.getsockname()[1]}"))
        start = time.monotonic()

        result = topics_command(settings, command)

    assert isinstance(result.exception, BrokerUnavailable)
    assert result.exception.exit_code == 75
    assert time.monotonic() - start < 10
