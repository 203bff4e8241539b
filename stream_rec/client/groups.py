"""Consumer groups, asked of the broker: who is in one now."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

import kafka.errors
from kafka import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    NotCoordinatorError,
)

T = TypeVar("T")

COORDINATOR_S = 15.0
"""How long a cluster may take to make a group's coordinator known."""


def members(client: KafkaAdminClient, group: str) -> list[str]:
    """Return the names of the processes that are in a group now: what static members are called, else client ids.

    Raises:
        KafkaError: the broker did not say.
    """
    found = ask_coordinator(lambda: _describe(client, group))
    return sorted(str(member.get("group_instance_id") or member.get("client_id")) for member in found["members"])


def ask_coordinator(ask: Callable[[], T]) -> T:
    """Return what a group's coordinator says, once there is one: a new cluster has none until it is first asked."""
    deadline = time.monotonic() + COORDINATOR_S
    while True:
        try:
            return ask()
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _describe(client: KafkaAdminClient, group: str) -> dict[str, Any]:
    """Return a group as the broker describes it; raise what it says instead, which kafka-python only notes."""
    found: dict[str, Any] = client.describe_groups([group])[group]
    if said := re.match(r"\[Error (-?\d+)\]", found.get("error") or ""):
        error = kafka.errors.for_code(int(said[1]))
        if error is not GroupIdNotFoundError:  # nobody was ever in it
            raise error(found["error"])
    return found
