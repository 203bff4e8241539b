"""The product in containers, as `deploy/compose.yaml` has it: a project of its own, on free ports."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import httpx

from tests.deploy.programs import ROOT, require, run

COMPOSE = ROOT / "deploy/compose.yaml"
PROGRAMS = ("worker-1", "worker-2", "embedder", "serve", "dashboard")


class Stack:
    """Containers that run, by the name of their service."""

    def __init__(self, folder: Path, image: str, kafka_image: str) -> None:
        self._name = f"stream-rec-{uuid.uuid4().hex[:8]}"
        ports = free_ports(3)
        self.serve, self.dashboard = (f"http://127.0.0.1:{port}" for port in ports[:2])
        keys = folder / "keys.toml"
        self.key = run("sh", ROOT / "deploy/new-key.sh", keys, "test", "read", "write", "admin").stdout.strip()
        self._environ = {
            "PROGRAM_IMAGE": image,
            "KAFKA_IMAGE": kafka_image,
            "KEYS_FILE": str(keys),
            "ENCODER": "hashing",
            "SERVE_PORT": str(ports[0]),
            "DASHBOARD_PORT": str(ports[1]),
            "KAFKA_PORT": str(ports[2]),
        }

    def compose(self, *words: str) -> CompletedProcess[str]:
        """Run podman-compose on the project."""
        return run(require("podman-compose"), "--project-name", self._name, "--file", COMPOSE, *words, **self._environ)

    def container(self, service: str) -> str:
        """Return the name of a service's container."""
        return f"{self._name}_{service}_1"

    def exit_code(self, service: str) -> str:
        """Return how a container ended, "" where it has not."""
        said = run("podman", "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", self.container(service))
        status, _, code = said.stdout.strip().partition(" ")
        return code if status == "exited" else ""

    def started_at(self, service: str) -> str:
        """Return when a container was started last."""
        return run("podman", "inspect", "--format", "{{.State.StartedAt}}", self.container(service)).stdout

    def inside(self, service: str, *words: str) -> CompletedProcess[str]:
        """Run a command in a container."""
        return run("podman", "exec", self.container(service), *words)

    def log(self, service: str) -> str:
        """Return what a container has said so far."""
        said = run("podman", "logs", "--tail", "40", self.container(service))
        return said.stdout + said.stderr

    def is_healthy(self, service: str) -> bool:
        """Ask a container's own health check."""
        return run("podman", "healthcheck", "run", self.container(service)).returncode == 0

    def volumes(self) -> set[str]:
        """Return the volumes that its containers have, those without a name of ours too."""
        containers = run("podman", "ps", "--all", "--quiet", "--filter", f"name={self._name}").stdout.split()
        mounted = run("podman", "inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", *containers)
        return set(mounted.stdout.split())

    def left_behind(self, volumes: set[str]) -> set[str]:
        """Return what there still is of the project: containers, networks, and of these volumes."""
        named = ["--filter", f"name={self._name}", "--format"]
        containers = run("podman", "ps", "--all", *named, "{{.Names}}").stdout.split()
        networks = run("podman", "network", "ls", *named, "{{.Name}}").stdout.split()
        return {*containers, *networks, *(volumes & set(run("podman", "volume", "ls", "--quiet").stdout.split()))}


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Bring the product up, and take it down when the context ends, whatever has happened."""
    stack = Stack(folder, os.environ["PROGRAM_IMAGE"], os.environ["KAFKA_IMAGE"])
    try:
        for services in (["kafka", "topics"], []):  # all at once, as people do, takes a busy machine much longer
            up = stack.compose("up", "--detach", *services)
            assert up.returncode == 0, up.stdout + up.stderr
            wait_until(lambda: stack.exit_code("topics") == "0", timeout_s=600)
        yield stack
    except BaseException:
        for service in ("kafka", "topics", *PROGRAMS):
            print(f"--- {service}\n{stack.log(service)}")
        raise
    finally:
        volumes = stack.volumes()
        down = stack.compose("down", "--volumes", "--timeout", "20")
    assert down.returncode == 0, down.stdout + down.stderr
    assert volumes
    assert stack.left_behind(volumes) == set()


def wait_until(fact: Callable[[], object], timeout_s: float = 300.0) -> None:
    """Return when ``fact()`` is true. It is asked a few times a second: what it asks has enough to do as it is."""
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, f"it did not happen within {timeout_s:g} s"
        time.sleep(0.25)


def wait_until_ready(address: str) -> None:
    """Return when a service says that it is ready: all of it starts at once, on a machine that may be busy."""
    wait_until(lambda: answers(f"{address}/readyz"), timeout_s=600)


def answers(address: str) -> bool:
    """Return whether something answers 200 there."""
    try:
        return httpx.get(address, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def free_ports(n: int) -> list[int]:
    """Return ports that nobody listens at just now."""
    with ExitStack() as open_ones:
        sockets = [open_ones.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
