"""Create the topics that are missing and say how existing ones differ. Nothing that exists is ever altered."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import kafka.errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError
from msgspec import Struct

from stream_rec.client.connect import KafkaPythonTokens, expect_closing
from stream_rec.client.reachable import require_answering
from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable, NotAllowed, SettingsError, StreamRecError, TopicMismatch
from stream_rec.topics.definition import TopicSpec, all_topics

CONNECT_TIMEOUT_MS = 6_000
REQUEST_TIMEOUT_MS = 10_000
LEADER_TIMEOUT_MS = 30_000
"""kafka-python's own limits are 30 s each: too long for a person who forgot to start a broker."""

NO_ID = str(uuid.UUID(int=0))
MISSING = "topic"
PARTITIONS = "partitions"
REPLICAS = "replication factor"

MESSAGE_BYTES = 1_048_588
"""Kafka's default. A batch of signals, lists or states may come near it: less would stop the worker some day."""
ASKED = ("max.message.bytes", "min.insync.replicas", "retention.bytes", "unclean.leader.election.enable")
"""Configs that no definition sets, and with which a pipeline cannot live if somebody else has."""


class Difference(Struct, frozen=True):
    """One way in which the broker's topic is not as defined."""

    topic: str
    what: str
    """``topic`` (it is missing), ``partitions``, ``replication factor``, or the name of a topic config."""
    expected: str
    found: str

    @property
    def remedy(self) -> str:
        """What a person can do about it."""
        if self.what == MISSING:
            return "run `stream-rec topics create`"
        if self.what == PARTITIONS:
            return f"set [kafka] partitions = {self.found}, or delete the topic and run `stream-rec topics create`"
        if self.what == REPLICAS:
            return f"set [kafka] replication_factor = {self.found}, or run kafka-reassign-partitions.sh"
        change = f"--entity-type topics --entity-name {self.topic} --add-config {self.what}={self.expected}"
        return f"run kafka-configs.sh --alter {change}"

    def __str__(self) -> str:
        if self.what == MISSING:
            return f"{self.topic}: missing: {self.remedy}"
        return f"{self.topic}: {self.what} is {self.found}, expected {self.expected}: {self.remedy}"


def create(settings: Settings) -> list[str]:
    """Create the topics that are missing, wait until all have leaders, and return the names of those created.

    Raises:
        BrokerUnavailable: no broker answers, or a partition got no leader in time.
        SettingsError: the cluster has fewer brokers than ``kafka.replication_factor``; nothing was created.
        TopicMismatch: the broker refuses a topic; nothing was created.
    """
    wanted = all_topics(settings)
    with _admin(settings) as admin:
        existing = _describe(admin, [topic.name for topic in wanted])
        missing = [topic for topic in wanted if topic.name not in existing]
        created = []
        if missing:
            _request_creation(admin, missing, validate_only=True)
            created = _request_creation(admin, missing, validate_only=False)
        admin.wait_for_topics([topic.name for topic in wanted], timeout_ms=LEADER_TIMEOUT_MS)
    return created


class Examined(NamedTuple):
    """What the broker says of a pipeline's topics."""

    differences: list[Difference]
    """In the order of the topics."""
    topic_ids: dict[str, str]
    """By full name, the id that a topic got when it was made: another one if it was deleted and made again.

    Without those of brokers too old to give any.
    """


def compare(settings: Settings) -> list[Difference]:
    """Return every difference between the topics on the broker and their definitions; raises as ``examine`` does."""
    return examine(settings).differences


def examine(settings: Settings) -> Examined:
    """Return every difference between the topics on the broker and their definitions, and who the topics are.

    More replicas than asked for are no difference, nor are configs that are not defined here, but for those with which
    records would be refused or lost one day. Codecs are none: every program reads every one.

    Raises:
        BrokerUnavailable: no broker answers.
        NotAllowed: this user may not see the configs.
        TopicMismatch: this user may not see a topic.
    """
    wanted = all_topics(settings)
    with _admin(settings) as admin:
        existing = _describe(admin, [topic.name for topic in wanted])
        _require_configs(settings, existing)
        configs = _configs(admin, [topic for topic in wanted if topic.name in existing])
    differences = [
        difference
        for topic in wanted
        for difference in _compare_one(topic, existing.get(topic.name), configs.get(topic.name, {}))
    ]
    return Examined(differences, _ids(existing))


def topic_ids(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """Return the ids of topics that are named without prefix, as of ``Examined``; for who may not see configs.

    Raises:
        BrokerUnavailable: no broker answers.
        TopicMismatch: this user may not see a topic.
    """
    wanted = {settings.kafka.topic(name) for name in names}
    with _admin(settings) as admin:
        return _ids(_describe(admin, [topic.name for topic in all_topics(settings) if topic.name in wanted]))


def require_foreign(settings: Settings, names: Sequence[str]) -> None:
    """Return when all topics of these full names are there, and are not ours.

    Raises:
        BrokerUnavailable: no broker answers.
        TopicMismatch: one is missing, or this user may not see it, or it is one of the pipeline's.
    """
    own = {topic.name for topic in all_topics(settings)}
    if mixed_up := [name for name in names if name in own]:
        raise TopicMismatch(
            f"[ingest.topics] names {', '.join(mixed_up)}, which the pipeline itself reads and writes: set [kafka] "
            "topic_prefix, so that its topics have other names than yours"
        )
    with _admin(settings) as admin:
        existing = _describe(admin, names)
    if missing := [name for name in names if name not in existing]:
        raise TopicMismatch(f"[ingest.topics] names topics that are not on the broker: {', '.join(missing)}")


def _ids(existing: dict[str, dict[str, Any]]) -> dict[str, str]:
    ids = {name: str(found.get("topic_id") or NO_ID) for name, found in existing.items()}
    return {name: topic_id for name, topic_id in ids.items() if topic_id != NO_ID}


def differences(settings: Settings) -> list[str]:
    """Return ``compare`` as one line for each difference; empty where all topics are as defined."""
    return [str(difference) for difference in compare(settings)]


def _compare_one(topic: TopicSpec, found: dict[str, Any] | None, config: dict[str, str]) -> Iterator[Difference]:
    if found is None:
        yield Difference(topic.name, MISSING, "there", "missing")
        return
    n_partitions = len(found["partitions"])
    if n_partitions != topic.partitions:
        yield Difference(topic.name, PARTITIONS, str(topic.partitions), str(n_partitions))
    n_replicas = min((len(partition["replica_nodes"]) for partition in found["partitions"]), default=0)
    if n_replicas < topic.replication_factor:
        yield Difference(topic.name, REPLICAS, str(topic.replication_factor), str(n_replicas))
    for key, value in topic.config.items():
        if config.get(key) != value:
            yield Difference(topic.name, key, value, config.get(key, "unknown"))
    yield from _dangers(topic, n_replicas, config)


def _dangers(topic: TopicSpec, n_replicas: int, config: dict[str, str]) -> Iterator[Difference]:
    """Yield what would refuse or lose records one day, though it is not a matter of the definition."""
    if int(config.get("max.message.bytes", MESSAGE_BYTES)) < MESSAGE_BYTES:
        yield Difference(topic.name, "max.message.bytes", str(MESSAGE_BYTES), config["max.message.bytes"])
    if int(config.get("min.insync.replicas", "1")) > n_replicas:  # every write would be refused
        yield Difference(topic.name, "min.insync.replicas", str(n_replicas), config["min.insync.replicas"])
    if "delete" in topic.config["cleanup.policy"] and config.get("retention.bytes", "-1") != "-1":
        # What nobody has read yet goes too, however new it is.
        yield Difference(topic.name, "retention.bytes", "-1", config["retention.bytes"])
    if config.get("unclean.leader.election.enable", "false") != "false":  # acknowledged records are lost
        yield Difference(
            topic.name, "unclean.leader.election.enable", "false", config["unclean.leader.election.enable"]
        )


@contextmanager
def _admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    """Connect, and turn what the client raises into the error that a person can act on."""
    require_answering(settings.kafka)
    expect_closing()
    options = {"bootstrap_timeout_ms": CONNECT_TIMEOUT_MS, "request_timeout_ms": REQUEST_TIMEOUT_MS}
    try:
        with KafkaAdminClient(**settings.kafka.client_options(KafkaPythonTokens), **options) as admin:
            yield admin
    except KafkaError as error:
        raise BrokerUnavailable(
            f"Kafka at {settings.kafka.bootstrap} did not do what was asked: {error}; look at its log, and try again"
        ) from error


def _describe(admin: KafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the metadata of those topics that exist, by name."""
    found = {}
    for metadata in admin.describe_topics(list(names)):
        error = kafka.errors.for_code(metadata["error_code"])
        if error is kafka.errors.UnknownTopicOrPartitionError:
            continue
        if error not in (kafka.errors.NoError, kafka.errors.LeaderNotAvailableError):
            raise TopicMismatch(
                f"the broker does not describe topic {metadata['name']}: {error.__name__}; "
                "correct [kafka] topic_prefix, or the permissions of this user on the broker"
            )
        found[metadata["name"]] = metadata
    return found


def _require_configs(settings: Settings, existing: dict[str, dict[str, Any]]) -> None:
    """Check that the broker will say how topics are configured: else kafka-python says that nothing is set."""
    hidden = [name for name, found in existing.items() if "DESCRIBE_CONFIGS" not in found["authorized_operations"]]
    if hidden:
        raise NotAllowed(
            f"this user may not see the configs of {', '.join(hidden)} at {settings.kafka.bootstrap}; grant that as "
            "`stream-rec topics acls` prints it, or log in as a user who may"
        )


def _configs(admin: KafkaAdminClient, topics: list[TopicSpec]) -> dict[str, dict[str, str]]:
    """Return the configs in force by topic name, only the keys that each definition sets and those of ``ASKED``."""
    if not topics:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name, [*topic.config, *ASKED]) for topic in topics]
    answer = admin.describe_configs(asked, config_filter="all")["topic"]
    return {name: {key: config["value"] for key, config in configs.items()} for name, configs in answer.items()}


def _request_creation(admin: KafkaAdminClient, topics: list[TopicSpec], *, validate_only: bool) -> list[str]:
    """Return the names of those created. One that another process created meanwhile is not among them."""
    asked = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replication_factor,
            "configs": topic.config,
        }
        for topic in topics
    }
    created = []
    for answer in admin.create_topics(asked, validate_only=validate_only, raise_errors=False)["topics"]:
        error = kafka.errors.for_code(answer["error_code"])
        if error is kafka.errors.NoError:
            created.append(answer["name"])
        elif error is not kafka.errors.TopicAlreadyExistsError:
            raise _refusal(error, answer, asked[answer["name"]])
    return created


def _refusal(error: type[KafkaError], answer: dict[str, Any], asked: dict[str, Any]) -> StreamRecError:
    """Return what to raise for a topic that the broker does not want to create."""
    if error is kafka.errors.InvalidReplicationFactorError:
        return SettingsError(
            f"[kafka] replication_factor = {asked['replication_factor']}, which this cluster cannot do: "
            f"{answer['error_message']} Set it to at most the number of brokers (1 on a laptop)."
        )
    return TopicMismatch(
        f"the broker refuses to create topic {answer['name']}: {error.__name__}: {answer['error_message']}; "
        "correct the [kafka] settings, or the permissions of this user on the broker"
    )
