"""The image: what is built into it, and how large it is."""

from __future__ import annotations

import json
import os
import re
import tomllib

import pytest

from stream_rec.cpu import CPUS
from tests.deploy.programs import ROOT, run

CONTAINERFILE = (ROOT / "deploy/Containerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MOST_BYTES = 600_000_000


def default(name: str) -> str:
    """Return what a build's argument is where nobody says."""
    return re.search(rf'^ARG {name}="?(.*?)"?$', CONTAINERFILE, re.MULTILINE)[1]


def test_kernels_are_compiled_for_all_that_a_wheel_has_them_for():
    """Whoever runs it finds those of the own CPU."""
    assert tuple(default("CPUS").split()) == CPUS


def test_its_extras_are_there_and_bring_no_torch():
    """The other variant of the page and of the file's head does."""
    assert set(default("EXTRAS").split(",")) <= set(PROJECT["optional-dependencies"])
    assert "torch" not in default("EXTRAS")
    page = (ROOT / "docs/guides/deploy.md").read_text(encoding="utf-8")
    for text in (page, CONTAINERFILE):
        (extras,) = re.findall(r"--build-arg EXTRAS=(\S+)", text)
        assert set(extras.split(",")) == {*default("EXTRAS").split(","), "torch"}


def test_what_it_copies_is_sent_to_the_build():
    """And all that is sent is copied: nothing of a checkout's other files can get into it."""
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINERFILE, re.MULTILINE) for word in line.split()
    }

    assert sent == copied
    assert all((ROOT / name).exists() for name in sent)


@pytest.mark.container
def test_it_is_small_and_says_what_it_is():
    """Below 600 MB, as a user without rights, with a check of its health."""
    (image,) = json.loads(run("podman", "image", "inspect", os.environ["PROGRAM_IMAGE"]).stdout)

    assert image["Size"] < MOST_BYTES
    assert image["Config"]["User"] == "10001:10001"
    assert image["Labels"]["org.opencontainers.image.version"] == PROJECT["version"]
    assert image["Labels"]["org.opencontainers.image.licenses"] == "MIT"
    assert image["HealthCheck" if "HealthCheck" in image else "Healthcheck"]["Test"][0] == "CMD"


@pytest.mark.container
def test_torch_is_not_in_it():
    """Nor what `light.txt` leaves out."""
    left_out = [line.split("#")[0].strip() for line in (ROOT / "light.txt").read_text().splitlines()]
    modules = ["torch", *(name.replace("-", "_") for name in left_out if name)]
    asked = f"from importlib.util import find_spec; print([n for n in {modules} if find_spec(n)])"

    said = run(
        "podman", "run", "--rm", "--read-only", "--entrypoint", "python", os.environ["PROGRAM_IMAGE"], "-c", asked
    )

    assert said.stdout.strip() == "[]"
