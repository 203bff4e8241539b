"""Two live processes with one instance id: the group knows one at a time, and each that joins throws the other out.

Left alone they would take the partitions from each other every few seconds, for ever. Kafka names the id in the ids
that it gives to static members, so who was thrown out can ask whether it was for another of its name: then it ends,
with a code that says that a person must look, and the one that came later serves.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeGroupsRequest

EXIT_CODE = 2

_UNIQUE = r"-([A-Za-z0-9_-]{22}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
"""What Kafka adds to an instance id: of 4 and later, and of those before."""


async def twin_of(coordinator: Any, ask: Callable[[Any], Awaitable[Any]]) -> str | None:
    """Return the address of another process that is in our group under our instance id; None where none is known.

    Args:
        coordinator: aiokafka's ``GroupCoordinator``, just told that the group does not know it as a member any more.
        ask: Sends a request to the group's coordinator.
    """
    try:
        response = await ask(DescribeGroupsRequest([coordinator.group_id]))
    except KafkaError:
        return None
    ours = re.compile(re.escape(coordinator._group_instance_id) + _UNIQUE)
    for *_, members in (group[:6] for group in response.groups):
        for member_id, _client_id, host, *_ in members:
            if ours.fullmatch(member_id) and member_id != coordinator.member_id:
                return str(host).lstrip("/")
    return None
