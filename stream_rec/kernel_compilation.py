"""How numba compiles all kernels: one process at a time does it, and a helper that begins with the last.

What was compiled is in numba's cache: in ``__pycache__`` beside each kernel, else in the user's cache directory, or in
``NUMBA_CACHE_DIR``. Where it is one of these two, what lies beside the kernels (from ``compile`` in an image) is copied
there: numba looks in one place only.
"""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from select import select
from subprocess import DEVNULL, PIPE, Popen

import numpy as np
from numba.core import event as numba_event
from numba.core.registry import CPUDispatcher

from stream_rec.kernel_signatures import find_signatures

LOCK = "stream-rec-compiles.lock"
"""Beside what is compiled: its holder compiles, and others load what it has done."""

HELP = """
from stream_rec.kernel_compilation import compile_from_the_end
from stream_rec.kernels import run_kernels

compile_from_the_end(run_kernels.__wrapped__)
"""


def compile_from_the_end(run: Callable[[], None]) -> None:
    """Compile every kernel that ``run`` calls and numba's cache lacks, the last first, and print the name of each."""
    with np.errstate(all="ignore"):  # numba divides by 0 without a word
        signatures = find_signatures(run)
    for kernel, types in reversed(signatures):
        kernel.compile(types)
        print(kernel.py_func.__name__, flush=True)


def start_helper() -> Popen[bytes] | None:
    """Start a process that compiles from the end, unless there is one core alone."""
    if (os.cpu_count() or 1) < 2:
        return None
    command = [sys.executable, "-c", HELP]
    return Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)  # what it fails at is compiled here


def copy_compiled() -> None:
    """Copy what is compiled beside the kernels to where numba looks, if that is elsewhere and has none, or older.

    Whether it fits (the source's digest, Python's and numba's versions, the CPU) is for numba to say.
    """
    folders = {(Path(one.py_func.__code__.co_filename).parent, _cache_of(one)) for one in dispatchers().values()}
    with suppress(OSError):  # what is not copied is compiled
        for program, used in sorted(folders):
            for index in sorted((program / "__pycache__").glob("*.nbi")):
                _copy_if_newer(index, used)


def _copy_if_newer(index: Path, folder: Path) -> None:
    """Copy one kernel's index and before it the code that it names: numba believes an index."""
    there = folder / index.name
    if there.exists() and there.stat().st_mtime >= index.stat().st_mtime:
        return
    for file in (*index.parent.glob(f"{index.stem}.*.nbc"), index):
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as copy:
            copy.write(file.read_bytes())
        os.replace(copy.name, folder / file.name)  # at once, as numba does: other processes read


def dispatchers() -> dict[str, CPUDispatcher]:
    """Return all kernels that are loaded, by module and name."""
    modules = [module for name, module in sys.modules.items() if name.startswith("stream_rec.")]
    kernels = [value for module in modules for value in vars(module).values() if isinstance(value, CPUDispatcher)]
    found = {f"{kernel.py_func.__module__}.{kernel.py_func.__qualname__}": kernel for kernel in kernels}
    return dict(sorted(found.items()))


def cache_path() -> Path:
    """Return where the first kernel is kept when it is compiled; others may be elsewhere."""
    kernel = next(iter(dispatchers().values()), None)  # none with NUMBA_DISABLE_JIT
    return _cache_of(kernel) if kernel is not None else Path(__file__).parent


def _cache_of(kernel: CPUDispatcher) -> Path:
    """Return the folder in which a kernel is kept when it is compiled."""
    folder = kernel.stats.cache_path
    if folder is None:
        raise ValueError(f"{kernel.py_func.__qualname__} is compiled without a cache: use the decorator of kernel.py")
    return Path(folder)


class Compiling(numba_event.Listener):
    """While this lasts whoever compiles is told of, and one process at a time does it."""

    def __init__(self, tell: Callable[[int, int, str], None]) -> None:
        self._tell = tell
        self._has_asked = False
        self._lock: int | None = None
        self._helper: Popen[bytes] | None = None
        self._number = 0
        self._of = len(dispatchers())

    def __enter__(self) -> Compiling:
        numba_event.register("numba:compile", self)  # type: ignore[no-untyped-call]  # numba says no types
        return self

    def __exit__(self, *_: object) -> None:
        numba_event.unregister("numba:compile", self)  # type: ignore[no-untyped-call]  # as above
        if self._helper is not None:
            self._helper.kill()
            self._helper.communicate()
        if self._lock is not None:
            os.close(self._lock)

    def on_start(self, event: numba_event.Event) -> None:
        """Hear that a kernel is about to be compiled, because it is not in the cache."""
        kernel = event.data["dispatcher"].py_func
        if not kernel.__module__.startswith("stream_rec."):
            return  # numba's own, which some kernels are made of
        if not self._has_asked:
            self._wait_for_lock()  # of what another has compiled meanwhile this one kernel is compiled again
        self._number += 1 + self._count_of_helper()
        self._of = max(self._of, self._number)  # one of several types is compiled for each
        self._tell(self._number, self._of, kernel.__name__)

    def _count_of_helper(self) -> int:
        """Return how many kernels the helper has compiled since this was asked last."""
        if self._helper is None or self._helper.stdout is None:
            return 0
        said = os.read(self._helper.stdout.fileno(), 2**16) if select([self._helper.stdout], [], [], 0)[0] else b""
        return said.count(b"\n")

    def on_end(self, event: numba_event.Event) -> None:
        """Hear that it is done."""

    def _wait_for_lock(self) -> None:
        self._has_asked = True
        with suppress(OSError):  # without a lock several may compile: a waste, and no fault
            self._lock = os.open(cache_path() / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._tell(0, self._of, "another process compiles")
                fcntl.flock(self._lock, fcntl.LOCK_EX)
                return
        self._helper = start_helper()
