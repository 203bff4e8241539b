"""Build a wheel that brings its kernels compiled: where it is installed nothing compiles, and no numba is needed.

It is for the Python that runs this, and for Linux. What is compiled is what setuptools has put into ``build/lib`` for
the wheel, not the checkout. A C compiler is needed here, and not where the wheel is installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from stream_rec.cpu import CPUS

BUILD = "import sys; from setuptools.build_meta import *; build_wheel(sys.argv[1], {'--build-option': sys.argv[2:]})"
BUILT = Path("build/lib")
COMPILE = Path("deploy/compile_kernels.py")


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
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_")
    for pure in arguments.out.glob("stream_rec-*-py3-none-any.whl"):
        pure.unlink()
    _build(arguments.out, "--skip-build", "--python-tag", tag, "--plat-name", platform)


def _build(folder: Path, *options: str) -> None:
    build = [sys.executable, "-c", BUILD, str(folder.absolute()), *options]
    subprocess.run(build, stdout=subprocess.DEVNULL, check=True)


def _compile(cpu: str) -> None:
    """Compile what is built, into ``stream_rec/compiled/``; numba's own cache stays out of the wheel."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environ |= {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    environ |= {"NUMBA_DISABLE_INTEL_SVML": "1"}  # a library that is not there where the wheel is installed
    environ |= {"PYTHONPATH": str(BUILT.absolute()), "PYTHONDONTWRITEBYTECODE": "1"}
    print(f"compiling for {cpu}", flush=True)
    with tempfile.TemporaryDirectory() as cache:
        subprocess.run([sys.executable, COMPILE.absolute()], env=environ | {"NUMBA_CACHE_DIR": cache}, check=True)


if __name__ == "__main__":
    main()
