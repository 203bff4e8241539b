"""Samples of the Open Bandit Dataset: real lists of a fashion shop, three positions long, and what was clicked.

ZOZO logged two policies side by side for a week of November 2019, for three campaigns: `random` draws items for every
position alike; `bts` is Bernoulli Thompson sampling, which had learned from clicks for a month before and hardly
changed any more. The whole data set has 26 million rows; these are its authors' samples of 10,000 for each policy and
campaign. `examples/ads/open_bandit.py` fetches them, once.

Licence of the data: CC BY 4.0, (c) ZOZO, Inc.

Source:
    Saito, Aihara, Matsutani, Narita. Open Bandit Dataset and Pipeline: Towards Realistic and Reproducible Off-Policy
    Evaluation. NeurIPS 2021, Datasets and Benchmarks.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from examples.ads import open_bandit

POLICIES = ("random", "bts")
CAMPAIGNS = ("all", "men", "women")


@dataclass(frozen=True)
class Rows:
    """One item shown in one position, a row: arrays of the same length."""

    items: NDArray[np.int64]
    """Numbers from 0; the same number in another campaign is another item."""
    positions: NDArray[np.int64]
    """1 to 3: left, centre and right on the screen."""
    clicks: NDArray[np.int64]
    """0 or 1."""
    propensities: NDArray[np.float64]
    """With which the policy showed this item in this position."""


@cache
def read(policy: str, campaign: str) -> Rows:
    """Return the rows of one log."""
    rows = read_table(policy, campaign)
    return Rows(
        items=np.array([int(row["item_id"]) for row in rows]),
        positions=np.array([int(row["position"]) for row in rows]),
        clicks=np.array([int(row["click"]) for row in rows]),
        propensities=np.array([float(row["propensity_score"]) for row in rows]),
    )


def read_table(policy: str, campaign: str) -> list[dict[str, str]]:
    """Return the rows of one log as they stand.

    Where the data cannot be had the test is skipped, but fails on CI, which must not skip quietly.
    """
    try:
        return open_bandit.read_table(policy, campaign)
    except open_bandit.DatasetUnavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true and the data are missing: {error}")
        pytest.skip(str(error))


def write_log(file: Path, policy: str, campaign: str) -> Path:
    """Write the rows as a log: a line for each item shown, and one more where it was clicked, at the same time.

    Users are those whom the data cannot tell apart: 230 groups by age, sex and the like among the 10,000 rows of `men`.
    """
    lines = []
    for number, row in enumerate(read_table(policy, campaign)):
        known = {"user_id": "/".join(row[f"user_feature_{n}"] for n in range(4)), "timestamp": row["timestamp"]}
        shown = {"item_id": row["item_id"], "position": int(row["position"])}
        shown["propensity"] = float(row["propensity_score"])
        lines.append({"event_type": "impression", "event_id": f"s{number}", "items": [shown], **known})
        if row["click"] == "1":
            lines.append({"event_type": "click", "event_id": f"c{number}", "item_id": row["item_id"], **known})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def read_campaigns(policy: str) -> Rows:
    """Return the rows of all campaigns, one after the other, their items told apart."""
    logs = [read(policy, campaign) for campaign in CAMPAIGNS]
    return Rows(
        items=np.concatenate([1000 * number + log.items for number, log in enumerate(logs)]),
        positions=np.concatenate([log.positions for log in logs]),
        clicks=np.concatenate([log.clicks for log in logs]),
        propensities=np.concatenate([log.propensities for log in logs]),
    )
