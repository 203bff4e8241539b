"""What is said of each method after its trial: plain data, the same for the same log and seed except under "cost"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from stream_rec.evaluation import metrics
from stream_rec.evaluation.bootstrap import intervals
from stream_rec.evaluation.method import World
from stream_rec.evaluation.observation import Observation
from stream_rec.evaluation.prequential import Schedule, Trial
from stream_rec.evaluation.recall import candidate_recall
from stream_rec.evaluation.scan import ScannedLog
from stream_rec.evaluation.slices import STEPS, ages, earlier, halves, slices, steps
from stream_rec.evaluation.trials import Failed, Finished
from stream_rec.events.item import Item

ENGINE = "stream_rec"
SHORT = 10
"""The other list length that accuracy is given for."""
POINTS = 120
"""Of each curve over time."""
SMOOTHED = 0.05
"""Share of the scored events that each point of a curve over time is the mean of."""


class Evaluation:
    """What is common to all methods, worked out once."""

    def __init__(
        self, log: ScannedLog, plan: Schedule, world: World, items: Sequence[Item], *, n: int, seed: int
    ) -> None:
        """Take the items of the item file, in the order of ``world.item_ids``, and the length ``n`` of lists."""
        self._log, self._plan, self._world, self._n, self._seed = log, plan, world, n, seed
        scored = slice(plan.first_scored, None)
        self._users = log.users[scored]
        self._before = earlier(log, plan)
        self._slices = slices(self._before, log.kinds[scored], world.is_listed[log.items[scored]])
        self._sample = plan.sample()
        self._genres, self._n_genres, self._genres_from = genres(items, log)
        self._histories = self._sampled_histories()

    def of_all(self, outcomes: Mapping[str, Finished | Failed]) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Return the results by method, and how the engine compares with the best other method (None without both)."""
        finished = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Finished)}
        bounds = self._intervals({name: outcome.trial for name, outcome in finished.items()})
        results = {
            name: {"error": outcome.message}
            if isinstance(outcome, Failed)
            else self._of_one(outcome, bounds and {key: bounds[name, key] for key in ("hit_rate", "ndcg")})
            for name, outcome in outcomes.items()
        }
        others = [name for name in finished if not name.startswith(ENGINE)]
        if ENGINE not in finished or not others:
            return results, None
        best = max(others, key=lambda name: results[name]["ndcg"])
        return results, self._comparison(best, finished[ENGINE].trial, finished[best].trial)

    def sizes(self) -> dict[str, Any]:
        """Return how much of everything there was."""
        log, plan, is_listed = self._log, self._plan, self._world.is_listed
        return {
            "n_events": len(log),
            "n_users": log.n_users,
            "n_items_listed": int(is_listed.sum()),
            "n_items_with_events": len(np.unique(log.items)),
            "n_warm_events": plan.first_scored,
            "n_scored_events": len(log) - plan.first_scored,
            "n_scored_groups": plan.n_scored_groups,
            "n_scored_users": len(np.unique(self._users)),
            "n_scored_of_unlisted_items": int(self._slices["item=unlisted"].sum()),
            "n_out_of_order": log.n_late,
            "first_ms": int(log.times_ms[0]),
            "last_ms": int(log.times_ms[-1]),
            "genres_from": self._genres_from,
        }

    def _of_one(self, outcome: Finished, bounds: dict[str, Any] | None) -> dict[str, Any]:
        ranks = outcome.trial.ranks
        shown = self._shown(outcome.lists)
        sampled = np.asarray(outcome.lists[self._sample])
        return {
            **self._accuracy(ranks, self._n),
            **{
                f"{name}@{SHORT}": value if self._n >= SHORT else None
                for name, value in self._accuracy(ranks, SHORT).items()
            },
            "ci": bounds,
            "slices": self._parts(ranks, self._slices),
            "halves": self._parts(ranks, halves(self._plan)),
            "curves": {
                "user_events": self._parts(ranks, steps(self._before.of_user, STEPS)),
                "item_events": self._parts(ranks, steps(self._before.of_item, STEPS)),
                "item_age": self._parts(ranks, ages(self._before.item_age_ms)),
                "over_time": self._over_time(ranks),
            },
            "coverage": metrics.coverage(shown),
            "gini": metrics.gini(shown),
            "intra_list_similarity": metrics.intra_list_similarity(sampled, self._world.vectors),
            "novelty": metrics.novelty(
                outcome.lists,
                self._plan.bounds[self._plan.n_warm_groups : -1],
                self._log.items,
                self._world.n_items,
            ),
            "calibration": self._calibration(sampled),
            "list_length": float((outcome.lists >= 0).sum() / len(outcome.lists)),
            "chosen": outcome.chosen,
            "cost": self._cost(outcome),
            **(self._seen(Observation(**outcome.observed)) if outcome.observed is not None else {}),
        }

    def _seen(self, observation: Observation) -> dict[str, Any]:
        """Return what is said only of a method that was observed."""
        return {
            "candidates": candidate_recall(observation.sources, observation.n_candidates, self._slices),
            "frontier": self._frontier(observation),
        }

    def _frontier(self, observation: Observation) -> list[dict[str, Any]]:
        """Return what each diversity gives and takes, on the sampled lists; changes are from diversity 0."""
        starts, ends = (self._plan.bounds[self._plan.n_warm_groups + self._sample + more] for more in (0, 1))
        place_of = np.repeat(np.arange(len(starts)), ends - starts)
        events = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends)])
        ranks = [metrics.ranks(lists[place_of], self._log.items[events]) for lists in observation.lists]
        gains = np.stack([metrics.ndcg(one, self._n) for one in ranks])
        changes = intervals(self._log.users[events], gains - gains[0], seed=self._seed)
        return [
            {
                "diversity": float(diversity),
                "ndcg": float(gains[at].mean()),
                "ndcg_change": changes and msgspec.to_builtins(changes[at]),
                "hit_rate": float(metrics.hit_rate(ranks[at], self._n).mean()),
                "intra_list_similarity": metrics.intra_list_similarity(lists, self._world.vectors),
                "coverage": metrics.coverage(self._shown(lists)),
                "calibration": self._calibration(lists),
                "n_lists": len(lists),
            }
            for at, (diversity, lists) in enumerate(zip(observation.diversities, observation.lists))
        ]

    def _shown(self, lists: np.ndarray) -> np.ndarray:
        """Return in how many of the lists each listed item is."""
        return metrics.exposures(lists, self._world.n_items)[self._world.is_listed]

    def _calibration(self, sampled: np.ndarray) -> float | None:
        """Return that of the sampled lists; None where items have no genres."""
        return metrics.calibration(sampled, self._histories, self._genres, self._n_genres) if self._genres else None

    def _accuracy(self, ranks: np.ndarray, k: int) -> dict[str, float]:
        return {
            "hit_rate": float(metrics.hit_rate(ranks, k).mean()),
            "ndcg": float(metrics.ndcg(ranks, k).mean()),
            "mrr": float(metrics.mrr(ranks, k).mean()),
        }

    def _parts(self, ranks: np.ndarray, masks: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Return size and accuracy of each part; of an empty one there is none."""
        nothing = {"hit_rate": None, "ndcg": None, "mrr": None}
        return {
            name: {
                "n": int(mask.sum()),
                "share": float(mask.mean()),
                **(self._accuracy(ranks[mask], self._n) if mask.any() else nothing),
            }
            for name, mask in masks.items()
        }

    def _over_time(self, ranks: np.ndarray) -> dict[str, list[Any]]:
        """Return means over the last ``SMOOTHED`` of the scored events, at evenly spaced events."""
        n_events = len(ranks)
        window = max(1, round(SMOOTHED * n_events))
        ends = np.unique(np.linspace(window, n_events, POINTS).round().astype(np.int64))
        sums = {name: np.append(0.0, np.cumsum(of(ranks, self._n))) for name, of in ACCURACY.items()}
        return {
            "event": (self._plan.first_scored + ends).tolist(),
            "timestamp_ms": self._log.times_ms[self._plan.first_scored + ends - 1].tolist(),
            **{name: ((summed[ends] - summed[ends - window]) / window).tolist() for name, summed in sums.items()},
        }

    def _intervals(self, trials: Mapping[str, Trial]) -> dict[tuple[str, str], Any] | None:
        if not trials:
            return None
        keys = [(name, metric) for name in trials for metric in ACCURACY]
        values = np.stack([ACCURACY[metric](trials[name].ranks, self._n) for name, metric in keys])
        made = intervals(self._users, values, seed=self._seed)
        return made and dict(zip(keys, map(msgspec.to_builtins, made)))

    def _comparison(self, best: str, ours: Trial, theirs: Trial) -> dict[str, Any]:
        values = np.stack([of(ours.ranks, self._n) - of(theirs.ranks, self._n) for of in ACCURACY.values()])
        made = intervals(self._users, values, seed=self._seed)
        if made is None:
            return {"baseline": best, **{name: {"mean": float(v.mean())} for name, v in zip(ACCURACY, values)}}
        return {"baseline": best, **dict(zip(ACCURACY, map(msgspec.to_builtins, made)))}

    def _cost(self, outcome: Finished) -> dict[str, Any]:
        sizes = np.diff(self._plan.bounds[self._plan.n_warm_groups :])
        list_ms, learn_ms = outcome.trial.list_ns / 1e6, outcome.trial.learn_ns / 1e6
        return {
            "list_ms": _spread(list_ms, list_ms.mean()),
            "learn_ms": _spread(np.repeat(learn_ms / sizes, sizes), learn_ms.sum() / sizes.sum()),
            "event_ms": float((list_ms.sum() + learn_ms.sum()) / sizes.sum()),
            "setup_s": outcome.setup_s,
            "choosing_s": float(outcome.trial.warm_up_ns[-1] / 1e9)
            if outcome.chosen and outcome.chosen["n_trials"]
            else None,
            "total_s": outcome.total_s,
            "peak_mb": outcome.peak_mb,
        }

    def _sampled_histories(self) -> list[np.ndarray]:
        """Return what the user of each sampled list did before it, as item numbers; nothing where it is not needed."""
        if not self._genres:
            return []
        order = np.argsort(self._log.users, kind="stable")
        sorted_users, items = self._log.users[order], self._log.items[order]
        starts = self._plan.bounds[self._plan.n_warm_groups + self._sample]
        begins = np.searchsorted(sorted_users, self._log.users[starts])
        counts = self._before.of_user[starts - self._plan.first_scored]
        return [items[begin : begin + n] for begin, n in zip(begins, counts)]


ACCURACY = {"hit_rate": metrics.hit_rate, "ndcg": metrics.ndcg}


def genres(items: Sequence[Item], log: ScannedLog) -> tuple[list[np.ndarray], int, str | None]:
    """Return the genre numbers of each item of the log, how many genres there are, and what they were taken from.

    That is the category where the items that carry events have at least two, else the tags where those have, else
    nothing: then there are no genres and nothing to be calibrated.
    """
    with_events = set(np.unique(log.items).tolist())
    for source, words_of in (("category", lambda item: [item.category]), ("tags", lambda item: item.tags)):
        words = [sorted({word.strip() for word in words_of(item)} - {""}) for item in items]
        if len({word for number, of_item in enumerate(words) if number in with_events for word in of_item}) < 2:
            continue
        number_of = {word: number for number, word in enumerate(sorted({w for of_item in words for w in of_item}))}
        numbers = [np.array([number_of[word] for word in of_item], np.int64) for of_item in words]
        numbers += [np.zeros(0, np.int64)] * (len(log.item_ids) - len(items))
        return numbers, len(number_of), source
    return [], 0, None


def _spread(values_ms: np.ndarray, mean_ms: float) -> dict[str, float]:
    p50, p99 = np.percentile(values_ms, [50, 99])
    return {"mean": float(mean_ms), "p50": float(p50), "p99": float(p99)}
