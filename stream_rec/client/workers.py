"""Which workers are at work: a worker joins its consumer group when it has compiled and read all that it needs."""

from __future__ import annotations

from contextlib import closing

from kafka import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, KafkaError

from stream_rec.client.connect import BOOTSTRAP_TIMEOUT_MS, connect
from stream_rec.client.groups import members
from stream_rec.config import WorkerSettings
from stream_rec.errors import BrokerUnavailable, NotAllowed
from stream_rec.kafka_settings import KafkaSettings

APP_ID = WorkerSettings().app_id


def ready_workers(kafka: KafkaSettings, app_id: str = APP_ID) -> list[str]:
    """Return the names of the workers that are ready, or were a session timeout ago; empty: no worker is ready.

    Args:
        app_id: As set in ``worker.app_id``.

    Raises:
        BrokerUnavailable: the broker did not say.
        LoginRefused: it does not let us in.
        SettingsError: an address is none, or a certificate file cannot be read.
        NotAllowed: this user may not see the workers' group.
    """
    group = kafka.topic(app_id)
    try:
        with closing(connect(KafkaAdminClient, kafka, request_timeout_ms=BOOTSTRAP_TIMEOUT_MS)) as admin:
            return members(admin, group)
    except GroupAuthorizationFailedError as error:
        raise NotAllowed(
            f"this user may not see group {group} at {kafka.bootstrap}; grant that as `stream-rec topics acls` prints "
            "it, or log in as a user who may"
        ) from error
    except KafkaError as error:
        raise BrokerUnavailable(f"{kafka.bootstrap} does not say which workers are ready: {error}") from error


def why_no_list(kafka: KafkaSettings, app_id: str = APP_ID) -> str:
    """Return in words why there is no list at all, not even the default one; raises as ``ready_workers`` does."""
    if workers := ready_workers(kafka, app_id):
        return f"workers {', '.join(workers)} are ready, and there is nothing yet that a list could be made of"
    return f"no worker is ready: start `stream-rec worker` (nobody is in group {kafka.topic(app_id)})"
