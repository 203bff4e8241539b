"""Puts ``topics/`` and the demo's log into the package: see stream_rec/package_data.py. The rest: pyproject.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """Copies what the package needs and the repository keeps beside it, as into ``stream_rec/data/topics/``."""

    def run(self) -> None:
        """Build the package; an editable install reads the repository's own folders."""
        super().run()
        if not self.editable_mode:
            for folder in ("topics", "examples/entree_chicago"):
                target = Path(self.build_lib, "stream_rec/data", folder)
                shutil.rmtree(target, ignore_errors=True)  # what an earlier build left there
                shutil.copytree(folder, target)


setup(cmdclass={"build_py": BuildWithData})
