"""A supervisor for the pipeline's processes: what ends is started again, after a pause that grows, as systemd would."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from stream_rec.testing.pipeline import Child, RunningPipeline

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
LOOK_S = 0.05


class SupervisedPipeline(RunningPipeline):
    """A running pipeline whose processes are started again when they end, whatever they ended with."""

    def __enter__(self) -> SupervisedPipeline:
        super().__enter__()
        self.supervisor = Supervisor(self)
        self.supervisor.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if hasattr(self, "supervisor"):
            self.supervisor.stop()
        super().__exit__(error_type, error, trace)

    def raise_if_ended(self) -> None:
        """Return: what ends is started again."""

    def restart(self, child: Child) -> Child:
        """Start the process of ``child`` anew, which has ended; return at once."""
        start = {"worker": self.start_worker, "embedder": self.start_embedder, "ingest": self.start_ingest}[child.role]
        return start(child.name, wait=False)


class Supervisor(threading.Thread):
    """Watches the children of a pipeline. ``starts`` and ``exits`` say what it saw."""

    def __init__(self, running: SupervisedPipeline) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._running = running
        self._over = threading.Event()
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        """By process: who holds its lock starts and ends it."""
        self._pause_s: defaultdict[str, float] = defaultdict(lambda: FIRST_PAUSE_S)
        self._ended_at: dict[str, float] = {}
        self.starts: Counter[str] = Counter()
        self.exits: list[tuple[str, int]] = []

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()

    @contextmanager
    def held_down(self, *names: str) -> Iterator[None]:
        """Start none of these processes while the block runs; at its end they are started at once."""
        with ExitStack() as stack:
            for name in sorted(names):
                stack.enter_context(self._locks[name])
            yield
            for name in names:
                self._ended_at.pop(name, None)
                self._pause_s[name] = 0.0

    def dismiss(self, name: str) -> int:
        """Tell a process to end, never start it again, and return its exit code."""
        with self._locks[name]:
            return self._running.children.pop(name).stop()

    def run(self) -> None:
        """Look after the processes until told to stop."""
        while not self._over.wait(LOOK_S):
            for name in list(self._running.children):
                with self._locks[name]:
                    child = self._running.children.get(name)
                    if child is not None and not self._over.is_set():
                        self._look_after(child)

    def _look_after(self, child: Child) -> None:
        code = child.process.poll()
        if code is None:
            if child.is_ready:
                self._pause_s[child.name] = FIRST_PAUSE_S
            return
        now = time.monotonic()
        if child.name not in self._ended_at:
            self._ended_at[child.name] = now
            self.exits.append((child.name, code))
        if now - self._ended_at[child.name] >= self._pause_s[child.name]:
            del self._ended_at[child.name]
            self._pause_s[child.name] = min(LONGEST_PAUSE_S, 2 * max(FIRST_PAUSE_S, self._pause_s[child.name]))
            self.starts[child.name] += 1
            self._running.restart(child)
