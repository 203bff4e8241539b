"""What is said of each method after its trial: plain data, the same for the same log and seed except under "cost"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation import metrics
from stream_rec.evaluation.ablation import PARTS, name_contender
from stream_rec.evaluation.bootstrap import estimate_intervals
from stream_rec.evaluation.changes import EventResults, compare
from stream_rec.evaluation.contenders import CONTROL, ENGINE, is_baseline
from stream_rec.evaluation.examples import Example, read_examples
from stream_rec.evaluation.experiment import Experiment
from stream_rec.evaluation.genres import find_genres
from stream_rec.evaluation.losses import Loss, find_losses
from stream_rec.evaluation.observation import Observation
from stream_rec.evaluation.prequential import Trial
from stream_rec.evaluation.recall import measure_recall
from stream_rec.evaluation.reliability import calibration_error, describe_bins
from stream_rec.evaluation.scan import digest_log
from stream_rec.evaluation.scored_events import ScoredEvents
from stream_rec.evaluation.slices import (
    STEPS,
    count_earlier,
    slice_events,
    split_ages,
    split_by_search,
    split_halves,
    split_steps,
)
from stream_rec.evaluation.trials import Failed, Finished
from stream_rec.events.item import Item
from stream_rec.events.source import Source

EVERYTHING = "all"
"""The part that all scored events are."""
SHORT = 10
"""The other list length that accuracy is given for."""
POINTS = 120
"""Of each curve over time."""
SMOOTHED = 0.05
"""Share of the scored events that each point of a curve over time is the mean of."""


ACCURACY = {"hit_rate": metrics.hit_rate, "ndcg": metrics.ndcg}
"""Measures that have intervals and curves."""
Ranks = NDArray[np.uint16]


class Evaluation:
    """What is common to all methods, worked out once."""

    def __init__(self, experiment: Experiment, items: Sequence[Item]) -> None:
        """Take the items of the item file, in the order of ``experiment.world.item_ids``."""
        log, plan, world = experiment.log, experiment.plan, experiment.world
        self._log, self._plan, self._world = log, plan, world
        self._n, self._seed = experiment.settings.n, experiment.settings.seed
        scored = slice(plan.first_scored, None)
        self._users = log.users[scored]
        self._before = count_earlier(log, plan)
        self._slices = {
            **slice_events(self._before, log.kinds[scored], world.is_listed[log.items[scored]]),
            **split_by_search(log, plan),
        }
        self._parts = {
            EVERYTHING: np.ones(len(self._users), bool),
            **{f"half={name}": mask for name, mask in split_halves(plan).items()},
            **self._slices,
        }
        self._sample = plan.sample()
        self._list_of = plan.group_of_event()[scored] - plan.n_warm_groups
        self._genres = find_genres(items, log)
        self._histories = self._find_sampled_histories()

    def summarize(self, outcomes: Mapping[str, Finished | Failed]) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Return the results by method, and how the engine compares with the best other method (None without both)."""
        finished = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Finished)}
        bounds = self._estimate_bounds({name: outcome.trial for name, outcome in finished.items()})
        results = {
            name: {"error": outcome.message}
            if isinstance(outcome, Failed)
            else self._summarize_one(outcome, bounds and bounds[name])
            for name, outcome in outcomes.items()
        }
        others = [name for name in finished if is_baseline(name)]
        if ENGINE not in finished or not others:
            return results, None
        best = max(others, key=lambda name: results[name]["ndcg"])
        return results, self._compare(best, finished[ENGINE].trial, finished[best].trial)

    def measure_text(self, outcomes: Mapping[str, Finished | Failed]) -> dict[str, Any] | None:
        """Return what text brings: how the engine differs from the control, part by part; None without both."""
        parts = self.compare(outcomes.get(CONTROL), outcomes.get(ENGINE))
        return parts and {"base": CONTROL, "parts": parts}

    def measure_without(
        self, outcomes: Mapping[str, Finished | Failed], without: Sequence[Sequence[str]]
    ) -> dict[str, Any] | None:
        """Return what parts of the engine are worth: how it differs from itself without them; None of none.

        Args:
            without: Names in ``PARTS`` that are left out together, for each run.
        """
        measured = {}
        for parts in without:
            base = name_contender(parts)
            compared = self.compare(outcomes.get(base), outcomes.get(ENGINE))
            if compared:
                says = "; ".join(PARTS[part].says for part in parts)
                measured["+".join(parts)] = {"base": base, "says": says, "parts": compared}
        return measured or None

    def compare(self, base: Finished | Failed | None, value: Finished | Failed | None) -> dict[str, Any] | None:
        """Return how one method differs from another, part by part; None where one failed or was not observed."""
        before, after = self._find_results(base), self._find_results(value)
        if before is None or after is None:
            return None
        return compare(before, after, self._users, self._parts, n=self._n, seed=self._seed)

    def keep_events(self, outcomes: Mapping[str, Finished | Failed]) -> ScoredEvents | None:
        """Return what a later evaluation needs in order to be compared with this one; None without the engine."""
        results = self._find_results(outcomes.get(ENGINE))
        if results is None:
            return None
        return ScoredEvents(digest_log(self._log, self._world.is_listed), self._users, self._parts, results)

    def judge_losses(self, outcomes: Mapping[str, Finished | Failed], results: Mapping[str, Any]) -> list[Loss]:
        """Return where a baseline is better than the engine, each with the interval of the difference.

        Of many methods the best in a part is chosen, which is partly luck: the intervals do not know of that.

        Args:
            results: Of these outcomes, as ``summarize`` gives them.
        """
        ours = outcomes.get(ENGINE)
        if not isinstance(ours, Finished):
            return []
        judged = []
        for loss in find_losses(results):
            theirs = outcomes[loss.baseline]
            assert isinstance(theirs, Finished)
            mask, of = self._parts[loss.part], ACCURACY[loss.metric]
            difference = of(ours.trial.ranks[mask], self._n) - of(theirs.trial.ranks[mask], self._n)
            made = estimate_intervals(self._users[mask], difference[np.newaxis], seed=self._seed)
            judged.append(replace(loss, difference=made[0] if made else None))
        return judged

    def find_examples(self, outcomes: Mapping[str, Finished | Failed]) -> list[Example]:
        """Return the users that were looked at from near; none where the engine failed or nobody asked for any."""
        ours = outcomes.get(ENGINE)
        if not isinstance(ours, Finished) or ours.observed is None:
            return []
        return read_examples(Observation(**ours.observed).examples)

    def _find_results(self, outcome: Finished | Failed | None) -> EventResults | None:
        """Return the results of a method by event; None where it failed or was not observed."""
        if not isinstance(outcome, Finished) or outcome.observed is None:
            return None
        return EventResults(outcome.trial.ranks, Observation(**outcome.observed).sources)

    def count(self) -> dict[str, Any]:
        """Return how much of everything there was."""
        log, plan, is_listed = self._log, self._plan, self._world.is_listed
        return {
            "n_events": len(log),
            **{
                name: n
                for name, source in {"n_searches": Source.SEARCH, "n_impressions": Source.IMPRESSION}.items()
                if (n := log.unscored.count(source))
            },
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
            "genres_from": self._genres.source,
            "digest": digest_log(log, is_listed),
        }

    def _summarize_one(self, outcome: Finished, bounds: dict[str, Any] | None) -> dict[str, Any]:
        ranks = outcome.trial.ranks
        shown = self._count_shown(outcome.lists)
        sampled = np.asarray(outcome.lists[self._sample])
        return {
            **self._measure_accuracy(ranks, self._n),
            **{
                f"{name}@{SHORT}": value if self._n >= SHORT else None
                for name, value in self._measure_accuracy(ranks, SHORT).items()
            },
            **dict(
                zip(
                    ("precision", "recall", "f1"),
                    metrics.precision_recall(ranks, self._log.items[self._plan.first_scored :], self._list_of, self._n)
                    .mean(axis=1)
                    .tolist(),
                )
            ),
            "ci": bounds,
            "slices": self._measure_parts(ranks, self._slices),
            "halves": self._measure_parts(ranks, split_halves(self._plan)),
            "curves": {
                "user_events": self._measure_parts(ranks, split_steps(self._before.of_user, STEPS)),
                "item_events": self._measure_parts(ranks, split_steps(self._before.of_item, STEPS)),
                "item_age": self._measure_parts(ranks, split_ages(self._before.item_age_ms)),
                "over_time": self._measure_over_time(ranks),
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
            "calibration": self._measure_calibration(sampled),
            "list_length": float((outcome.lists >= 0).sum() / len(outcome.lists)),
            "chosen": outcome.chosen,
            "cost": self._measure_cost(outcome),
            **(self._summarize_observation(Observation(**outcome.observed)) if outcome.observed is not None else {}),
        }

    def _summarize_observation(self, observation: Observation) -> dict[str, Any]:
        """Return what is said only of a method that was observed."""
        recall = measure_recall(observation.sources, observation.n_candidates, self._slices)
        frontier = {"frontier": self._measure_frontier(observation)} if len(observation.diversities) else {}
        probabilities = self._summarize_probabilities(observation) if len(observation.bins) else {}
        return {"candidates": recall, **probabilities, **frontier}

    def _summarize_probabilities(self, observation: Observation) -> dict[str, Any]:
        """Return how well the head tells candidates apart, and whether the probabilities of lists are right."""
        aucs, briers = (of[np.isfinite(of)].astype(np.float64) for of in (observation.aucs, observation.briers))
        bins = describe_bins(observation.bins)
        n, _, n_chosen = observation.bins.sum(axis=0).tolist()
        share = n_chosen / n if n else None
        return {
            "roc_auc": {"mean": float(aucs.mean()) if len(aucs) else None, "n": len(aucs)},
            "probabilities": {
                "brier": float(briers.mean()) if len(briers) else None,
                "brier_of_constant": share and share * (1 - share),
                "calibration_error": calibration_error(bins),
                "bins": bins,
            },
        }

    def _measure_frontier(self, observation: Observation) -> list[dict[str, Any]]:
        """Return what each diversity gives and takes, on the sampled lists; changes are from diversity 0."""
        starts, ends = (self._plan.bounds[self._plan.n_warm_groups + self._sample + more] for more in (0, 1))
        index_of = np.repeat(np.arange(len(starts)), ends - starts)
        events = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends)])
        ranks = [metrics.ranks(lists[index_of], self._log.items[events]) for lists in observation.lists]
        gains = np.stack([metrics.ndcg(one, self._n) for one in ranks])
        changes = estimate_intervals(self._log.users[events], gains - gains[0], seed=self._seed)
        return [
            {
                "diversity": float(diversity),
                "ndcg": float(gains[index].mean()),
                "ndcg_change": changes and msgspec.to_builtins(changes[index]),
                "hit_rate": float(metrics.hit_rate(ranks[index], self._n).mean()),
                "intra_list_similarity": metrics.intra_list_similarity(lists, self._world.vectors),
                "coverage": metrics.coverage(self._count_shown(lists)),
                "calibration": self._measure_calibration(lists),
                "n_lists": len(lists),
            }
            for index, (diversity, lists) in enumerate(zip(observation.diversities, observation.lists))
        ]

    def _count_shown(self, lists: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return in how many of the lists each listed item is."""
        return metrics.exposures(lists, self._world.n_items)[self._world.is_listed]

    def _measure_calibration(self, sampled: NDArray[np.int32]) -> float | None:
        """Return that of the sampled lists; None where items have no genres."""
        genres = self._genres
        return metrics.calibration(sampled, self._histories, genres.of_item, genres.n) if genres.n else None

    def _measure_accuracy(self, ranks: Ranks, k: int) -> dict[str, float]:
        return {
            "hit_rate": float(metrics.hit_rate(ranks, k).mean()),
            "ndcg": float(metrics.ndcg(ranks, k).mean()),
            "mrr": float(metrics.mrr(ranks, k).mean()),
        }

    def _measure_parts(self, ranks: Ranks, masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, Any]:
        """Return size and accuracy of each part; of an empty one there is none."""
        nothing = {"hit_rate": None, "ndcg": None, "mrr": None}
        return {
            name: {
                "n": int(mask.sum()),
                "share": float(mask.mean()),
                **(self._measure_accuracy(ranks[mask], self._n) if mask.any() else nothing),
            }
            for name, mask in masks.items()
        }

    def _measure_over_time(self, ranks: Ranks) -> dict[str, list[Any]]:
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

    def _estimate_bounds(self, trials: Mapping[str, Trial]) -> dict[str, dict[str, Any]] | None:
        """Return the interval of each measure of each method; None where there are none."""
        if not trials:
            return None
        values = np.stack([measure(trial.ranks, self._n) for trial in trials.values() for measure in ACCURACY.values()])
        made = estimate_intervals(self._users, values, seed=self._seed)
        if made is None:
            return None
        plain = iter(map(msgspec.to_builtins, made))
        return {name: dict(zip(ACCURACY, plain)) for name in trials}

    def _compare(self, best: str, ours: Trial, theirs: Trial) -> dict[str, Any]:
        values = np.stack([of(ours.ranks, self._n) - of(theirs.ranks, self._n) for of in ACCURACY.values()])
        made = estimate_intervals(self._users, values, seed=self._seed)
        if made is None:
            return {"baseline": best, **{name: {"mean": float(v.mean())} for name, v in zip(ACCURACY, values)}}
        return {"baseline": best, **dict(zip(ACCURACY, map(msgspec.to_builtins, made)))}

    def _measure_cost(self, outcome: Finished) -> dict[str, Any]:
        sizes = np.diff(self._plan.bounds[self._plan.n_warm_groups :])
        list_ms, learn_ms = outcome.trial.list_ns / 1e6, outcome.trial.learn_ns / 1e6
        return {
            "list_ms": _summarize_times(list_ms, list_ms.mean()),
            "learn_ms": _summarize_times(np.repeat(learn_ms / sizes, sizes), learn_ms.sum() / sizes.sum()),
            "event_ms": float((list_ms.sum() + learn_ms.sum()) / sizes.sum()),
            "setup_s": outcome.setup_s,
            "choosing_s": float(outcome.trial.warm_up_ns[-1] / 1e9)
            if outcome.chosen and outcome.chosen["n_trials"]
            else None,
            "total_s": outcome.total_s,
            "peak_mb": outcome.peak_mb,
        }

    def _find_sampled_histories(self) -> list[NDArray[np.int32]]:
        """Return what the user of each sampled list did before it, as item numbers; nothing where it is not needed."""
        if not self._genres.n:
            return []
        order = np.argsort(self._log.users, kind="stable")
        sorted_users, items = self._log.users[order], self._log.items[order]
        starts = self._plan.bounds[self._plan.n_warm_groups + self._sample]
        begins = np.searchsorted(sorted_users, self._log.users[starts])
        counts = self._before.of_user[starts - self._plan.first_scored]
        return [items[begin : begin + n] for begin, n in zip(begins, counts)]


def _summarize_times(values_ms: NDArray[np.float64], mean_ms: float) -> dict[str, float]:
    p50, p99 = np.percentile(values_ms, [50, 99])
    return {"mean": float(mean_ms), "p50": float(p50), "p99": float(p99)}
