"""An ad server: it tells which ads were really seen, in which slot and with what propensity, and what was clicked.

Also what a real log of ads drawn at random says of stream-rec's lists, and whether the propensities that lists state
are true.

Source:
    Swaminathan, Joachims. The self-normalized estimator for counterfactual learning. NIPS 2015.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from open_bandit import read_table

from stream_rec.client import EventProducer
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.slate import Slate
from stream_rec.kafka_settings import KafkaSettings

ADS = [Item(f"{number}", f"Ad {number}") for number in range(34)]
"""Of the campaign `men`; the data have no texts."""
LIST_LENGTH = 10
N_NEW = 2_000
RESAMPLES = 1_000
Z = 3.3
"""Half of an interval in standard errors: of twenty ads all are within, but for once in fifty times."""


class AdServer:
    """Tells what visitors see and click."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._events = EventProducer(kafka)

    def show(self, visitor: str, made: Slate, n_slots: int = 3) -> str:
        """Tell that the head of a list was on a visitor's screen, and what the chance of each ad was to be in it."""
        head = enumerate(made.items[:n_slots], start=1)
        shown = [ShownItem(ad.item_id, slot, ad.propensity) for slot, ad in head]
        event_id = self._events.impression(visitor, made.list_id, shown, surface="banner")
        self._events.flush()
        return event_id

    def click(self, visitor: str, ad: str) -> str:
        """Tell that a visitor clicked on an ad."""
        event_id = self._events.click(visitor, ad)
        self._events.flush()
        return event_id

    def close(self) -> None:
        """Let go of the connection."""
        self._events.close()


def read_log() -> list[Impression | LoggedEvent]:
    """Return 10,000 impressions of ads drawn at random, and the clicks on them.

    A user is a group of visitors whom the data cannot tell apart: by age, sex and the like. Raises as ``read_table``.
    """
    log: list[Impression | LoggedEvent] = []
    for number, row in enumerate(read_table("random", "men")):
        user = "/".join(row[f"user_feature_{feature}"] for feature in range(4))
        at_ms = round(datetime.fromisoformat(row["timestamp"]).timestamp() * 1000)
        shown = ShownItem(row["item_id"], int(row["position"]), float(row["propensity_score"]))
        log.append(Impression(f"s{number}", user, "", [shown], at_ms))
        if row["click"] == "1":
            log.append(LoggedEvent(Kind.CLICK, Interaction(f"c{number}", user, row["item_id"], at_ms)))
    return log


class Estimate(NamedTuple):
    """What of ads is clicked that a policy shows, self-normalised by propensity, with its interval of 95 %."""

    name: str
    click_rate: float
    low: float
    high: float
    n_effective: float


class Draws(NamedTuple):
    """How often an ad was in the lists of new visitors, next to the propensity that these stated."""

    ad: str
    share: float
    propensity: float
    margin: float
    """By how much chance makes them differ."""


def measure(replay: Callable[..., list[Slate]]) -> tuple[list[Estimate], list[Draws]]:
    """Return estimates of click rates on the real log, and the draws of lists for new visitors at its end.

    Args:
        replay: ``stream_rec.testing.replaying.replay_log`` with the settings beside this file, or the fixture.
    """
    log = read_log()
    end_ms = max(entry.timestamp_ms if isinstance(entry, Impression) else entry.event.timestamp_ms for entry in log)
    new = [Profile(f"new-{number}", end_ms, birth_year=1990) for number in range(N_NEW)]
    made = replay([*ADS, *log, *new])
    return estimate_click_rates(log, made), count_draws(made[-N_NEW:])


def estimate_click_rates(log: list[Impression | LoggedEvent], made: Iterable[Slate]) -> list[Estimate]:
    """Return the click rate of three policies; each shows one of ten ads, all alike, chosen before it was clicked."""
    list_after = {each.as_of.event_id: [ad.item_id for ad in each.items] for each in made if each.as_of}
    clicked = {entry.event.event_id[1:] for entry in log if isinstance(entry, LoggedEvent)}
    n_shown: Counter[str] = Counter()
    n_clicks: Counter[str] = Counter()
    newest: dict[str, list[str]] = {}
    clicks: list[bool] = []
    weights: defaultdict[str, list[float]] = defaultdict(list)
    for entry in log:
        if isinstance(entry, LoggedEvent):
            n_clicks[entry.event.item_id] += 1
            newest[entry.event.user_id] = list_after[entry.event.event_id]
            continue
        ad, propensity = entry.items[0].item_id, entry.items[0].propensity or 1.0
        if entry.user_id in newest:
            # By clicks so far, with as many as an ad has on average added to each, so that chance does not rank.
            best = sorted(n_shown, key=lambda ad: (n_clicks[ad] + 1) / (n_shown[ad] + 200), reverse=True)
            clicks.append(entry.event_id[1:] in clicked)
            weights["drawn from all ads (the log)"].append(1 / len(ADS) / propensity)
            weights["drawn from stream-rec's list"].append((ad in newest[entry.user_id]) / LIST_LENGTH / propensity)
            weights["drawn from the ten most clicked"].append((ad in best[:LIST_LENGTH]) / LIST_LENGTH / propensity)
        n_shown[ad] += 1
        newest[entry.user_id] = list_after[entry.event_id]
    return [_estimate(name, np.array(clicks, float), np.array(given)) for name, given in weights.items()]


def _estimate(name: str, clicks: NDArray[np.float64], weights: NDArray[np.float64]) -> Estimate:
    """Return sum w c / sum w, with an interval over rows drawn with replacement."""
    n = len(clicks)
    random = np.random.default_rng(0)
    taken = (random.integers(0, n, n) for _ in range(RESAMPLES))
    rates = [(weights[rows] @ clicks[rows]) / weights[rows].sum() for rows in taken]
    low, high = np.quantile(rates, (0.025, 0.975))
    values = weights @ clicks / weights.sum(), low, high, weights.sum() ** 2 / (weights @ weights)
    return Estimate(name, *map(float, values))


def count_draws(made: list[Slate]) -> list[Draws]:
    """Return the ads of these lists, the most frequent first.

    What is stated differs a little between lists, as the first ones teach the next which ads were in lists by now. An
    ad that may be in every list is in it once for each 1 / propensity, so the mean to compare with is the harmonic.
    """
    stated: defaultdict[str, list[float]] = defaultdict(list)
    for each in made:
        for shown in each.items:
            stated[shown.item_id].append(shown.propensity)
    draws = []
    for ad, propensities in stated.items():
        p = len(propensities) / sum(1 / propensity for propensity in propensities)
        draws.append(Draws(ad, len(propensities) / len(made), p, Z * (p * (1 - p) / len(made)) ** 0.5))
    return sorted(draws, key=lambda drawn: -drawn.share)
