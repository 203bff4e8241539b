"""Whether this user may do what a command is about to do: asked of the broker before anything is done."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

import kafka.errors
from kafka import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, KafkaError

from stream_rec.client.connect import BOOTSTRAP_TIMEOUT_MS, absent, connect
from stream_rec.client.groups import members
from stream_rec.errors import BrokerUnavailable, NotAllowed
from stream_rec.kafka_settings import KafkaSettings

_IN_WORDS = {
    "READ": "read",
    "WRITE": "write",
    "DESCRIBE": "see",
    "DESCRIBE_CONFIGS": "see the configs of",
}


def require_permissions(
    kafka: KafkaSettings,
    *,
    describe: Iterable[str] = (),
    describe_configs: Iterable[str] = (),
    read: Iterable[str] = (),
    write: Iterable[str] = (),
    group: str | None = None,
) -> None:
    """Check that topics, named without prefix, are there, and that this user has these permissions on them.

    A permission may be taken away at any time: what comes after this can still be refused.

    Args:
        group: A consumer group to be described, by its full name.

    Raises:
        BrokerUnavailable: no broker answered.
        LoginRefused: one did, and the login or its certificate is wrong.
        SettingsError: an address is none, or a certificate file cannot be read.
        NotAllowed: permissions are missing; the message names all of them.
        TopicMismatch: topics are missing.
    """
    wanted = {"READ": read, "WRITE": write, "DESCRIBE": describe, "DESCRIBE_CONFIGS": describe_configs}
    by_operation = {operation: [kafka.topic(name) for name in names] for operation, names in wanted.items()}
    topics = list(dict.fromkeys(topic for names in by_operation.values() for topic in names))
    try:
        with closing(connect(KafkaAdminClient, kafka, request_timeout_ms=BOOTSTRAP_TIMEOUT_MS)) as admin:
            missing, allowed = _describe_topics(admin, topics)
            sees_group = group is None or _sees(admin, group)
    except KafkaError as error:
        raise BrokerUnavailable(f"{kafka.bootstrap} does not say what this user may do: {error}") from error
    lacking = [
        f"{_IN_WORDS[operation]} {', '.join(refused)}"
        for operation, names in by_operation.items()
        if (refused := [name for name in names if name not in missing and operation not in allowed[name]])
    ]
    if not sees_group:
        lacking.append(f"see group {group}")
    if lacking:
        raise NotAllowed(
            f"{kafka.who} may not do at {kafka.bootstrap} what this needs: {'; '.join(lacking)}. Grant that as "
            "`stream-rec topics acls` prints it, or log in as a user who may"
        )
    if missing:
        raise absent(kafka, ", ".join(missing))


def _describe_topics(admin: KafkaAdminClient, topics: list[str]) -> tuple[list[str], dict[str, set[str]]]:
    """Return the topics that are not there, and the operations that are allowed on each of the others."""
    missing: list[str] = []
    allowed: dict[str, set[str]] = {}
    for topic in admin.describe_topics(topics):
        error = kafka.errors.for_code(topic["error_code"])
        if error is kafka.errors.UnknownTopicOrPartitionError:
            missing.append(topic["name"])
        elif error is kafka.errors.TopicAuthorizationFailedError:  # whether it is there is not told either
            allowed[topic["name"]] = set()
        elif error in (kafka.errors.NoError, kafka.errors.LeaderNotAvailableError):
            allowed[topic["name"]] = set(topic["authorized_operations"])
        else:
            raise error(topic["name"])
    return missing, allowed


def _sees(admin: KafkaAdminClient, group: str) -> bool:
    try:
        members(admin, group)
    except GroupAuthorizationFailedError:
        return False
    return True
