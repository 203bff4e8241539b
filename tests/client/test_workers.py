"""Which workers are ready, and what is said where there is no list."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import GroupAuthorizationFailedError, GroupIdNotFoundError, KafkaError, KafkaTimeoutError

from stream_rec.client import workers as module
from stream_rec.client.workers import ready_workers, why_no_list
from stream_rec.errors import BrokerUnavailable, NotAllowed
from stream_rec.kafka_settings import KafkaSettings

KAFKA = KafkaSettings(bootstrap="nowhere:1", topic_prefix="p-")


class Admin:
    """The edge: an admin client that knows one group."""

    def __init__(self, answer: dict[str, Any] | KafkaError) -> None:
        self.answer = answer

    def describe_groups(self, groups: list[str]) -> dict[str, dict[str, Any]]:
        assert groups == ["p-stream-rec"]
        if isinstance(self.answer, KafkaError):
            raise self.answer
        return {groups[0]: self.answer}

    def close(self) -> None: ...


def broker_says(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | KafkaError) -> None:
    monkeypatch.setattr(module, "connect", lambda client, kafka, **options: Admin(answer))


def test_those_in_the_group_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker joins when it has compiled and read what it needs; by its instance_id it is named."""
    broker_says(monkeypatch, {"members": [{"group_instance_id": "worker-2"}, {"group_instance_id": "worker-1"}]})

    assert ready_workers(KAFKA) == ["worker-1", "worker-2"]
    assert why_no_list(KAFKA).startswith("workers worker-1, worker-2 are ready, and there is nothing yet")


@pytest.mark.parametrize("error", [None, f"[Error {GroupIdNotFoundError.errno}] never heard of"])
def test_nobody_in_the_group_means_no_worker_is_ready(monkeypatch: pytest.MonkeyPatch, error: str | None) -> None:
    """Whether all have left or none ever came; the remedy is named."""
    broker_says(monkeypatch, {"members": [], "error": error})

    assert why_no_list(KAFKA) == "no worker is ready: start `stream-rec worker` (nobody is in group p-stream-rec)"


@pytest.mark.parametrize(
    ("said", "raised"),
    [(GroupAuthorizationFailedError("p-stream-rec"), NotAllowed), (KafkaTimeoutError(), BrokerUnavailable)],
)
def test_what_the_broker_does_not_say(monkeypatch: pytest.MonkeyPatch, said: KafkaError, raised: type) -> None:
    """Permissions are missing, or nobody answers."""
    broker_says(monkeypatch, said)

    with pytest.raises(raised):
        ready_workers(KAFKA)
