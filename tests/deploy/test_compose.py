"""The product in containers: an event over HTTP becomes a list, with one worker gone too, and nothing stays behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stream_rec.client.http import HttpClient, HttpProblem
from stream_rec.events.item import Item
from stream_rec.events.over_http import Event
from tests.deploy.programs import run
from tests.deploy.stack import PROGRAMS, Stack, running_stack, wait_until, wait_until_ready

pytestmark = [pytest.mark.container, pytest.mark.timeout(1200)]

USERS = [f"user-{number}" for number in range(12)]
"""Enough that each partition has some."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of it, ready."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        wait_until_ready(running.serve)
        yield running


@pytest.fixture
def service(stack: Stack) -> Iterator[HttpClient]:
    """What an app has of it."""
    with HttpClient(stack.serve, api_key=stack.key) as client:
        yield client


def choose(service: HttpClient, item_id: str) -> None:
    """Let each user click an item, and return when each has a list that was made after it."""
    before = {user: list_of(service, user) for user in USERS}
    service.post_events(
        [Event(event_type="click", event_id=f"{item_id}-{user}", user_id=user, item_id=item_id) for user in USERS]
    )
    wait_until(lambda: all(list_of(service, user) not in ("", before[user]) for user in USERS))


def list_of(service: HttpClient, user: str) -> str:
    """Return the id of the user's own list, or "" where there is none."""
    try:
        made = service.get_recommendations(user)
    except HttpProblem as problem:
        if problem.status != 503:
            raise
        return ""  # no list at all yet, not even the default one
    return "" if made.is_default else made.list_id


def test_an_event_becomes_a_list(stack, service):
    """From HTTP to Kafka, through a worker, and back."""
    for number in range(8):
        service.put_item(Item(f"item-{number}", title=f"tea pot {number}", category="tea"))

    choose(service, "item-1")

    shown = {item.item_id for item in service.get_recommendations(USERS[0]).items}
    assert shown
    assert shown <= {f"item-{number}" for number in range(8)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_process_lives_and_may_little(stack, name):
    """By its own health check; not as root, on a file system that it cannot write."""
    wait_until(lambda: stack.is_healthy(name))

    assert stack.inside(name, "id", "-u").stdout.strip() == "10001"
    assert stack.inside(name, "touch", "/opt/stream-rec/here").returncode != 0
    assert "CapEff:\t0000000000000000" in stack.inside(name, "cat", "/proc/self/status").stdout


def test_no_worker_has_compiled(stack):
    """What it loads is what the image brought, byte for byte; numba would have added to it."""
    brought = digests(stack, "/opt/stream-rec/lib")

    used = digests(stack, "/tmp/numba")

    assert used
    assert used <= brought


def digests(stack: Stack, folder: str) -> set[str]:
    """Return the digests of the indices of compiled kernels in a folder of a worker's container."""
    found = stack.inside("worker-2", "find", folder, "-name", "*.nbi", "-exec", "sha256sum", "{}", "+")
    assert found.returncode == 0, found.stderr
    return {line.split()[0] for line in found.stdout.splitlines()}


def test_a_worker_is_killed_and_lists_go_on(stack, service):
    """The other one takes its partitions; the killed one gets them back when it is there again."""
    run("podman", "kill", "--signal", "KILL", stack.container("worker-1"))

    choose(service, "item-2")

    assert run("podman", "start", stack.container("worker-1")).returncode == 0
    wait_until(lambda: stack.is_healthy("worker-1"))
    choose(service, "item-3")


@pytest.mark.parametrize("name", ["worker-1", "serve"])
def test_a_process_that_ends_starts_anew(stack, name):
    """As after exit code 75; nobody has to look."""
    began = stack.started_at(name)

    stack.inside(name, "sh", "-c", "kill -TERM 1")

    wait_until(lambda: stack.started_at(name) != began)
    wait_until(lambda: stack.is_healthy(name))
