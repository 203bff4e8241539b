"""Build a wheel that brings its kernels compiled: whoever installs it compiles nothing, on any x86-64.

They are for the Python that runs this and for the numba that it has; to others they are as if they were not there.
What is compiled is what setuptools has put into ``build/lib`` for the wheel, not the checkout: numba's cache goes by
each file for itself, so a checkout's may be older than what another file says now.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from stream_rec.cli.cpu import CPUS

BUILD = "import sys; from setuptools.build_meta import *; build_wheel(sys.argv[1], {'--build-option': sys.argv[2:]})"
BUILT = Path("build/lib")


def main() -> None:
    """Build, compile, and put both into the wheel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("dist"))
    parser.add_argument("--cpu", action="append", help=f"As LLVM names it, again for more. [default: {' '.join(CPUS)}]")
    arguments = parser.parse_args()
    shutil.rmtree("build", ignore_errors=True)
    _build(arguments.out)
    for cpu in arguments.cpu or CPUS:
        _compile(cpu)
    for left in (*BUILT.rglob("*.lock"), *BUILT.rglob("*.tmp.*")):  # the second: of a helper that was ended
        left.unlink()
    _build(arguments.out, "--skip-build")


def _build(folder: Path, *options: str) -> None:
    build = [sys.executable, "-c", BUILD, str(folder.absolute()), *options]
    subprocess.run(build, stdout=subprocess.DEVNULL, check=True)


def _compile(cpu: str) -> None:
    """Compile what is built, into ``__pycache__`` beside each kernel."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environ |= {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    environ |= {"NUMBA_DISABLE_INTEL_SVML": "1"}  # a library that is not there where the wheel is installed
    environ |= {"PYTHONPATH": str(BUILT.absolute()), "PYTHONDONTWRITEBYTECODE": "1"}
    print(f"compiling for {cpu}", flush=True)
    subprocess.run([sys.executable, "-m", "stream_rec", "compile"], env=environ, cwd=BUILT, check=True)


if __name__ == "__main__":
    main()
