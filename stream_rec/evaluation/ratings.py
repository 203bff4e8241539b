"""How well ratings are predicted: the engine's rating head beside baselines, each rating predicted before it teaches.

All are judged on the same ratings: those of the scored events that the engine predicted. Those of a group are all
predicted before any of them teaches, as a list is made before its group. Baselines choose their few settings on the
warm-up, or its beginning where that is long: they learn the first half of it, and the second half judges by RMSE. All
predictions are cut to the scale.

    RMSE = sqrt(mean (prediction - rating)²)        MAE = mean |prediction - rating|

Source:
    Koren, Bell, Volinsky. Matrix factorization techniques for recommender systems. Computer 42(8), 2009: the damped
    means and the biased factorization, which River learns online.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.bootstrap import estimate_intervals
from stream_rec.evaluation.contenders import ENGINE
from stream_rec.evaluation.experiment import Experiment
from stream_rec.user.ratings import THOUSANDTHS, RatingsConfig, read_rating

MOST_TRIED = 20_000
"""Ratings of the warm-up on which settings are chosen."""
DAMPINGS = (1.0, 2.0, 5.0, 10.0, 25.0)


class Rater(Protocol):
    """A baseline that predicts ratings."""

    def predict(self, user: int, item: int) -> float:
        """Return how a user would rate an item. Changes nothing that counts."""

    def learn(self, user: int, item: int, value: float) -> None:
        """Take a rating."""


@dataclass(frozen=True, slots=True)
class RatingLog:
    """The ratings of a log in its order. Arrays run parallel."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    values: NDArray[np.float64]
    groups: NDArray[np.int64]
    """Number of each one's group, ascending."""

    def __len__(self) -> int:
        """Return the number of ratings."""
        return len(self.values)

    def split(self) -> Iterator[slice]:
        """Yield the groups in order."""
        bounds = [0, *(np.flatnonzero(np.diff(self.groups)) + 1).tolist(), len(self)]
        yield from map(slice, bounds[:-1], bounds[1:])


class GlobalMean:
    """The mean of all ratings so far."""

    def __init__(self, middle: float) -> None:
        """Begin at the middle of the scale."""
        self._middle, self._sum, self._n = middle, 0.0, 0

    @property
    def mean(self) -> float:
        """The mean, or the middle of the scale before the first."""
        return self._sum / self._n if self._n else self._middle

    def predict(self, user: int, item: int) -> float:
        """Return the mean."""
        return self.mean

    def learn(self, user: int, item: int, value: float) -> None:
        """Take a rating."""
        self._sum, self._n = self._sum + value, self._n + 1


class DampedMeans:
    """Mean of all, and how far the user's and the item's ratings lie from it, each drawn to 0 while they are few."""

    def __init__(self, middle: float, *, item_damping: float, user_damping: float) -> None:
        """Begin at the middle of the scale; the dampings are ratings at the mean that each begins with."""
        self._all = GlobalMean(middle)
        self._dampings = item_damping, user_damping
        self._of_items: dict[int, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
        self._of_users: dict[int, tuple[int, float]] = defaultdict(lambda: (0, 0.0))

    def predict(self, user: int, item: int) -> float:
        """Return mean, item and user together."""
        mean = self._all.mean
        known = self._of_items.get(item, (0, 0.0)), self._of_users.get(user, (0, 0.0))
        return mean + sum((total - n * mean) / (n + damping) for (n, total), damping in zip(known, self._dampings))

    def learn(self, user: int, item: int, value: float) -> None:
        """Take a rating."""
        self._all.learn(user, item, value)
        for sums, key in ((self._of_items, item), (self._of_users, user)):
            n, total = sums[key]
            sums[key] = n + 1, total + value


class RiverBiasedMF:
    """River's biased matrix factorization."""

    def __init__(self, middle: float, seed: int, *, factors: int, rate: float, l2: float) -> None:
        """Begin with small random factors."""
        from river import optim, reco

        self._middle = middle
        self._model: Any = reco.BiasedMF(
            n_factors=factors,
            bias_optimizer=optim.SGD(rate),
            latent_optimizer=optim.SGD(rate),
            latent_initializer=optim.initializers.Normal(mu=0.0, sigma=0.1, seed=seed),
            l2_bias=l2,
            l2_latent=l2,
        )

    def predict(self, user: int, item: int) -> float:
        """Return River's prediction; the middle of the scale where its steps were so long that it is no number."""
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = float(self._model.predict_one(user, item))
        return predicted if np.isfinite(predicted) else self._middle

    def learn(self, user: int, item: int, value: float) -> None:
        """Take a rating."""
        with np.errstate(over="ignore", invalid="ignore"):
            self._model.learn_one(user, item, value)


@dataclass(frozen=True, slots=True)
class RaterFamily:
    """A baseline, and which settings are tried."""

    make: Callable[..., Rater]
    """From settings by name."""
    options: Mapping[str, Sequence[float]]
    """By name, those tried, in the order in which they are chosen; the first is in use meanwhile."""


def find_families(middle: float, seed: int) -> dict[str, RaterFamily]:
    """Return the baselines by name.

    Args:
        middle: Of the scale.
        seed: Of River's first factors.
    """
    return {
        "global_mean": RaterFamily(lambda: GlobalMean(middle), {}),
        "damped_means": RaterFamily(
            lambda **settings: DampedMeans(middle, **settings),
            {"item_damping": DAMPINGS, "user_damping": DAMPINGS},
        ),
        "river_biased_mf": RaterFamily(
            lambda **settings: RiverBiasedMF(middle, seed, **settings),
            {
                "rate": (0.05, 0.005, 0.01, 0.025, 0.075, 0.1, 0.15),
                "l2": (0.0, 0.01, 0.02, 0.05, 0.1),
                "factors": (10, 2, 5, 20, 40),
            },
        ),
    }


def read_ratings(experiment: Experiment, config: RatingsConfig) -> tuple[RatingLog, NDArray[np.int64]]:
    """Return the ratings of a log, and the number of the event of each, (r,)."""
    log, plan = experiment.log, experiment.plan
    values = np.full(len(log), np.nan)
    for number, (kind, event) in enumerate(log.events()):
        rating = read_rating(event, kind, config)
        if rating is not None:
            values[number] = rating / THOUSANDTHS
    numbers = np.flatnonzero(~np.isnan(values))
    groups = plan.group_of_event()[numbers]
    users, items = log.users[numbers].astype(np.int64), log.items[numbers].astype(np.int64)
    return RatingLog(users, items, values[numbers], groups), numbers


def judge_ratings(
    experiment: Experiment, config: RatingsConfig, predicted: NDArray[np.float64] | None
) -> dict[str, Any] | None:
    """Return how well ratings are predicted, by method, as plain data; None where the log has none to score.

    Args:
        config: With a scale.
        predicted: (scored events,) by the engine, NaN where it said nothing; None where it failed.
    """
    ratings, numbers = read_ratings(experiment, config)
    first_scored = experiment.plan.first_scored
    is_scored = numbers >= first_scored
    n_scored = int(is_scored.sum())
    if predicted is not None and len(predicted):
        is_scored[is_scored] = ~np.isnan(predicted[numbers[is_scored] - first_scored])
    if not is_scored.any():
        return None
    n_warm = int((numbers < first_scored).sum())
    least, most = config.bounds
    found, settings = {}, {}
    if predicted is not None and len(predicted):
        found[ENGINE] = predicted[numbers[is_scored] - first_scored]
    errors = {}
    for name, family in find_families((least + most) / 2, experiment.settings.seed).items():
        try:
            settings[name] = choose_settings(family, ratings, n_warm, config)
            found[name] = np.clip(predict_all(family.make(**settings[name]), ratings), least, most)[is_scored]
        except ModuleNotFoundError as error:
            errors[name] = f"{error}; install what the comparison needs: pip install 'stream-rec[bench]'"
    users, values = ratings.users[is_scored], ratings.values[is_scored]
    ours = found.get(ENGINE)
    methods: dict[str, Any] = {}
    for name, theirs in found.items():
        absolute = np.abs(theirs - values)
        methods[name] = {
            "rmse": float(np.sqrt(np.mean((theirs - values) ** 2))),
            "mae": float(absolute.mean()),
            "settings": settings.get(name, {}),
        }
        if ours is not None and name != ENGINE:
            made = estimate_intervals(
                users, (np.abs(ours - values) - absolute)[np.newaxis], seed=experiment.settings.seed
            )
            methods[name]["mae_difference"] = made and msgspec.to_builtins(made[0])
    return {
        "scale": [least, most],
        "n": int(is_scored.sum()),
        "n_left_out": n_scored - int(is_scored.sum()),
        "mean": float(values.mean()),
        "methods": methods,
        "errors": errors,
    }


def choose_settings(family: RaterFamily, ratings: RatingLog, n_warm: int, config: RatingsConfig) -> dict[str, float]:
    """Return the settings that predict the second half of the warm-up best, chosen one after the other."""
    best = {name: options[0] for name, options in family.options.items()}
    n = min(n_warm, MOST_TRIED)
    if n < 2 or not best:
        return best
    early = RatingLog(ratings.users[:n], ratings.items[:n], ratings.values[:n], ratings.groups[:n])

    def measure(settings: Mapping[str, float]) -> float:
        predicted = np.clip(predict_all(family.make(**settings), early), *config.bounds)[n // 2 :]
        return float(np.mean((predicted - early.values[n // 2 :]) ** 2))

    least = measure(best)
    for name, options in family.options.items():
        for option in options[1:]:
            error = measure(tried := best | {name: option})
            if error < least:
                best, least = tried, error
    return best


def predict_all(rater: Rater, ratings: RatingLog) -> NDArray[np.float64]:
    """Return what a baseline predicts of each rating, (r,), before it learns the group of that."""
    users, items, values = ratings.users.tolist(), ratings.items.tolist(), ratings.values.tolist()
    predicted = np.empty(len(ratings))
    for group in ratings.split():
        for number in range(group.start, group.stop):
            predicted[number] = rater.predict(users[number], items[number])
        for number in range(group.start, group.stop):
            rater.learn(users[number], items[number], values[number])
    return predicted
