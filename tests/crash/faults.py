"""The faults: what happens to processes, disks, the broker and the wire. What comes in is in ``inputs.py``.

Each has a name and ``inject(rig, rng)``, which returns when the fault is over, though not yet what it caused. It calls
``rig.strike`` where harm begins. What it leaves to chance it takes from ``rng``, so that a seed repeats it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
from kafka.admin import MemberToRemove

from tests.crash import inputs
from tests.crash.rig import Rig

WORKERS = ("worker-1", "worker-2")
PROCESSES = {"worker": "worker-1", "second-worker": "worker-2", "embedder": "embedder-1", "ingest": "ingest-1"}
EMBEDDER = PROCESSES["embedder"]
BROKER, WIRE, TOPICS = "broker", "wire", "topics"
USUAL_BYTES = "1048588"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    targets: frozenset[str]
    """What it lays hands on: two faults on one target wait for each other."""
    _inject: Callable[[Rig, random.Random], None]
    may_end_processes: bool = True
    """Whether a process may end of it and be started again."""

    def inject(self, rig: Rig, rng: random.Random) -> None:
        """Let it happen, and return when it is over.

        Raises:
            NotHere: this machine does not allow it.
        """
        with rig.hands_on(self.targets):
            self._inject(rig, rng)


def all_faults() -> dict[str, Fault]:
    """Return every fault by its name."""
    of_processes = [
        Fault(f"{verb}-{role}", frozenset({name}), partial(what, name))
        for verb, what in (("kill", kill), ("terminate", terminate), ("freeze", freeze))
        for role, name in PROCESSES.items()
    ]
    others = [
        ("kill-broker", [BROKER], kill_broker),
        ("freeze-broker", [BROKER], freeze_broker),
        ("unreachable-broker", [WIRE], unreachable_broker),
        ("silent-broker", [WIRE], silent_broker),
        ("slow-broker", [WIRE], slow_broker),
        ("full-disk", WORKERS, full_disk),
        ("lost-state", WORKERS, lost_state),
        ("old-state", WORKERS, old_state),
        ("corrupt-state", WORKERS, corrupt_state),
        ("refused-size", [TOPICS], refused_size),
        ("too-few-replicas", [TOPICS, BROKER], too_few_replicas),
        ("stuck-coordinator", [TOPICS, *WORKERS], stuck_coordinator),
        ("expelled-member", WORKERS, expelled_member),
        ("scale-1-3-1", WORKERS, scale),
        ("rolling-restart", WORKERS, rolling_restart),
        ("another-encoder", [EMBEDDER], another_encoder),
        ("lost-space", [EMBEDDER], lost_space),
        ("killed-while-embedding", [EMBEDDER], killed_while_embedding),
    ]
    incoming = [
        ("malformed-input", [], inputs.malformed_input),
        ("huge-message", [], inputs.huge_message),
        ("tombstones", [], inputs.tombstones),
        ("bad-embeddings", [], inputs.bad_embeddings),
        ("future-versions", [], inputs.future_versions),
        ("busy-user", [], inputs.busy_user),
        ("clock-jumps", [], inputs.clock_jumps),
        ("late-duplicates", [], inputs.late_duplicates),
        ("transactions", [BROKER], inputs.transactions),
        ("codecs", [TOPICS, BROKER], inputs.codecs),
        ("sold-out", [], inputs.sold_out),
        ("owners-rules", [], inputs.owners_rules),
    ]
    found = [
        *of_processes,
        *(Fault(name, frozenset(targets), what) for name, targets, what in others),
        *(Fault(name, frozenset(targets), what, may_end_processes=False) for name, targets, what in incoming),
    ]
    return {fault.name: fault for fault in found}


# Processes


def kill(name: str, rig: Rig, rng: random.Random) -> None:
    """SIGKILL, at any moment."""
    rig.strike()
    rig.child(name).process.kill()


def terminate(name: str, rig: Rig, rng: random.Random) -> None:
    """SIGTERM, as at each deployment."""
    rig.strike()
    rig.child(name).process.terminate()


def freeze(name: str, rig: Rig, rng: random.Random) -> None:
    """SIGSTOP for longer than the group waits, then SIGCONT: a zombie that believes its partitions are its own."""
    with rig.supervisor.held_down(name):
        process = rig.child(name).process
        rig.strike()
        process.send_signal(signal.SIGSTOP)
        rig.pause(rig.durations.frozen_process_s)
        process.send_signal(signal.SIGCONT)


# The broker and the wire


def kill_broker(rig: Rig, rng: random.Random) -> None:
    """SIGKILL of the only broker, and a start on its data after a moment."""
    rig.strike()
    rig.broker.kill()
    rig.pause(rng.uniform(0.0, 5.0))
    rig.broker.start()


def freeze_broker(rig: Rig, rng: random.Random) -> None:
    """SIGSTOP of the broker: requests time out, produce requests among them."""
    rig.strike()
    rig.broker.freeze()
    _mend_after(rig, rig.durations.frozen_broker_s, rig.broker.thaw)


def unreachable_broker(rig: Rig, rng: random.Random) -> None:
    """Connections are reset, and refused for a minute."""
    rig.strike()
    rig.broker.wire.cut()
    _mend_after(rig, rig.durations.unreachable_s, rig.broker.wire.heal)


def silent_broker(rig: Rig, rng: random.Random) -> None:
    """A partition of the network: connections stay, nothing passes for a minute."""
    rig.strike()
    rig.broker.wire.silence()
    _mend_after(rig, rig.durations.unreachable_s, rig.broker.wire.heal)


def slow_broker(rig: Rig, rng: random.Random) -> None:
    """Every piece on the wire is late."""
    rig.strike()
    rig.broker.wire.slow(rng.uniform(0.02, 0.2))
    _mend_after(rig, rig.durations.slow_s, rig.broker.wire.heal)


# A worker's disk


def full_disk(rig: Rig, rng: random.Random) -> None:
    """No space left on the device, for a while."""
    name = rng.choice(WORKERS)
    roomy = shutil.disk_usage(rig.state_dir(name)).total
    rig.strike()
    rig.fill_disk(name)
    _mend_after(rig, rig.durations.full_disk_s, lambda: rig.resize_disk(name, roomy))


def lost_state(rig: Rig, rng: random.Random) -> None:
    """A new machine: the state directory is empty."""
    name = rng.choice(WORKERS)
    with rig.supervisor.held_down(name):
        rig.strike()
        rig.child(name).kill()
        _empty(rig.state_dir(name))


def old_state(rig: Rig, rng: random.Random) -> None:
    """A restored backup: the state directory of an earlier moment."""
    name = rng.choice(WORKERS)
    directory = rig.state_dir(name)
    backup = directory.with_name(f"{name}.backup")
    with rig.supervisor.held_down(name):
        rig.strike()
        rig.child(name).kill()
        shutil.copytree(directory, backup)
    rig.load.wait_until_sent(rig.load.n_steady + rig.load.n_planned // 20)
    with rig.supervisor.held_down(name):
        rig.strike()
        rig.child(name).kill()
        _empty(directory)
        shutil.copytree(backup, directory, dirs_exist_ok=True)
    shutil.rmtree(backup)


def corrupt_state(rig: Rig, rng: random.Random) -> None:
    """Bytes of a file of the database have changed."""
    name = rng.choice(WORKERS)
    with rig.supervisor.held_down(name):
        rig.strike()
        rig.child(name).kill()
        files = sorted(file for file in _database_files(rig.state_dir(name)) if file.stat().st_size > 256)
        for file in rng.sample(files, min(2, len(files))):
            data = bytearray(file.read_bytes())
            at = rng.randrange(len(data) - 64)
            data[at : at + 64] = rng.randbytes(64)
            file.write_bytes(data)


# What the broker refuses


def refused_size(rig: Rig, rng: random.Random) -> None:
    """Records of two of our topics are too large for the broker: a produce request fails for good."""
    written = ("recommendations", "surfaces", "item-signals", "item-knowledge", "item-embeddings", "head-weights")
    changelogs = ("stream-rec-user-state-changelog", "stream-rec-item-state-changelog")
    for name in rng.sample([*written, *changelogs], 2):
        with rig.topic_config([rig.settings.kafka.topic(name)], "max.message.bytes", "100", USUAL_BYTES):
            rig.strike()
            rig.pause(rig.durations.refusal_s)


def too_few_replicas(rig: Rig, rng: random.Random) -> None:
    """Two replicas are asked for, and the second broker is gone: told, NOT_ENOUGH_REPLICAS; killed, timeouts first."""
    written = ("recommendations", "item-signals", "stream-rec-user-state-changelog")
    topic = rig.settings.kafka.topic(rng.choice(written))
    with rig.second_replica(topic) as second, rig.topic_config([topic], "min.insync.replicas", "2", "1"):
        rig.strike()
        rng.choice([second.stop, second.kill])()
        rig.pause(rig.durations.few_replicas_s)


def stuck_coordinator(rig: Rig, rng: random.Random) -> None:
    """The group's coordinator cannot write, and a member must join anew: commits, joins and syncs end in errors."""
    name = rng.choice(WORKERS)
    with rig.topic_config(["__consumer_offsets"], "max.message.bytes", "100", USUAL_BYTES):
        rig.strike()
        rig.child(name).process.kill()
        rig.pause(rig.durations.refusal_s)


def expelled_member(rig: Rig, rng: random.Random) -> None:
    """An administrator removes a live member from the group."""
    name = rng.choice(WORKERS)
    group = rig.settings.kafka.topic(rig.settings.worker.app_id)
    rig.strike()
    rig.ask(lambda client: client.remove_group_members(group, [MemberToRemove(group_instance_id=name)]))


# More and fewer workers


def scale(rig: Rig, rng: random.Random) -> None:
    """One worker, then three, then one, then as before."""
    rig.strike()
    rig.supervisor.dismiss("worker-2")
    for name in ("worker-2", "worker-3"):
        rig.running.start_worker(name, wait=False)
    for name in ("worker-2", "worker-3"):
        _wait_until_ready(rig, name)
    for name in rng.sample(["worker-2", "worker-3"], 2):
        rig.strike()
        rig.supervisor.dismiss(name)
    rig.running.start_worker("worker-2", wait=False)
    _wait_until_ready(rig, "worker-2")


def rolling_restart(rig: Rig, rng: random.Random) -> None:
    """A deployment: each of three workers is told to end and started again, one after the other."""
    rig.running.start_worker("worker-3", wait=False)
    _wait_until_ready(rig, "worker-3")
    for name in ("worker-1", "worker-2", "worker-3"):
        with rig.supervisor.held_down(name):
            rig.strike()
            rig.child(name).stop()
            rig.running.restart(rig.child(name))
        _wait_until_ready(rig, name)
    rig.supervisor.dismiss("worker-3")


# Other encoders


def another_encoder(rig: Rig, rng: random.Random) -> None:
    """The embedder comes back with another second encoder, or the one that was there before: all is embedded again."""
    dimensions = 64 if rig.settings.embedder.hashing_dimensions != 64 else 256
    _start_embedder_with(rig, hashing_dimensions=dimensions)
    _wait_until_ready(rig, EMBEDDER)


def lost_space(rig: Rig, rng: random.Random) -> None:
    """The embedder comes back with one encoder less, as where a model is given up; or with both again."""
    names = rig.settings.embedder.encoder.split("+")
    _start_embedder_with(rig, encoder=rng.choice(names) if len(names) > 1 else "random+hashing")
    _wait_until_ready(rig, EMBEDDER)


def killed_while_embedding(rig: Rig, rng: random.Random) -> None:
    """The embedder comes back with its encoders in another order, and is killed at any moment while it embeds again."""
    names = rig.settings.embedder.encoder.split("+")
    _start_embedder_with(rig, encoder="+".join(reversed(names)))
    for _ in range(3):
        _wait_until_ready(rig, EMBEDDER)
        rig.pause(rng.uniform(0.0, 0.5))
        rig.strike()
        rig.child(EMBEDDER).kill()


def _start_embedder_with(rig: Rig, **settings: object) -> None:
    """End the embedder and have it started with other settings."""
    with rig.supervisor.held_down(EMBEDDER):
        rig.strike()
        rig.child(EMBEDDER).stop()
        embedder = msgspec.structs.replace(rig.running.settings.embedder, **settings)
        rig.running.settings = msgspec.structs.replace(rig.running.settings, embedder=embedder)


def _mend_after(rig: Rig, seconds: float, mend: Callable[[], None]) -> None:
    """Leave something wrong for a while; mend it in any case."""
    try:
        rig.pause(seconds)
    finally:
        mend()


def _wait_until_ready(rig: Rig, name: str) -> None:
    """Return when a process is ready, however often it was started again meanwhile."""
    rig.wait_until(lambda: rig.child(name).is_ready)


def _database_files(directory: Path) -> Iterable[Path]:
    return (file for file in directory.rglob("*") if file.is_file() and file.name not in ("lock", "ready", "LOCK"))


def _empty(directory: Path) -> None:
    """Remove what is in a directory, which itself may be a mount."""
    for entry in list(os.scandir(directory)):
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
