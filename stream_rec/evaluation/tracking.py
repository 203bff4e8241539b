"""One evaluation as a run of MLflow: what was judged as parameters, figures as metrics, files as artifacts.

MLflow is imported when a run is begun, and not before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stream_rec.errors import StreamRecError
from stream_rec.evaluation.contenders import ENGINE

EXPERIMENT = "stream-rec"
"""Of all runs."""
AT_ONCE = 100
"""Parameters that MLflow takes in one request; of metrics it takes more."""
LONGEST = 500
"""Characters of a parameter: older servers refuse longer ones."""
MEASURES = ("ndcg", "hit_rate", "mrr", "precision", "recall", "f1")
OF_LISTS = ("coverage", "gini", "intra_list_similarity", "novelty", "calibration")
OF_PROBABILITIES = ("brier", "calibration_error")
WORDS = {"<": "_under_", "=": "_", "+": "_or_more"}
"""What MLflow allows in a name in place of what our parts are called by."""


class MlflowRun:
    """A run at one place, begun before the work, so that a place that cannot be reached is found out first."""

    def __init__(self, target: str, *, name: str) -> None:
        """Reach the place, and make the experiment where there is none yet.

        Args:
            target: Address of a tracking server, or a folder.
            name: Of the run.

        Raises:
            StreamRecError: MLflow is not installed, or the place cannot be used.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # else it tells its makers how it is used
        try:
            from mlflow import MlflowClient
        except ModuleNotFoundError as error:
            remedy = "--mlflow needs MLflow, which is not here: pip install 'stream-rec[mlflow]'"
            raise StreamRecError(remedy) from error
        self._target, self._name = target, name
        try:
            self._client = MlflowClient(tracking_uri=name_address(target))
            found = self._client.get_experiment_by_name(EXPERIMENT)
            self._experiment_id = found.experiment_id if found else self._client.create_experiment(EXPERIMENT)
        except Exception as error:  # what it raises has no end: its own, of requests, of the file system
            raise self._cannot(error) from error

    def log(self, said: Mapping[str, Any], artifacts: Sequence[Path]) -> str:
        """Log what an evaluation says, with files of it, and return the run's id.

        Raises:
            StreamRecError: MLflow does not take it.
        """
        from mlflow.entities import Metric, Param

        try:
            run = self._client.create_run(self._experiment_id, run_name=self._name)
            run_id: str = run.info.run_id
            for params in batched_pairs(flatten_params(said), AT_ONCE):
                self._client.log_batch(run_id, params=[Param(key, value) for key, value in params])
            for metrics in batched_pairs(flatten_metrics(said), AT_ONCE):
                time_ms = run.info.start_time
                self._client.log_batch(run_id, metrics=[Metric(key, value, time_ms, 0) for key, value in metrics])
            for file in artifacts:
                self._client.log_artifact(run_id, str(file))
            self._client.set_terminated(run_id)
        except Exception as error:
            raise self._cannot(error) from error
        return run_id

    def _cannot(self, error: Exception) -> StreamRecError:
        said = (str(error).splitlines() or [""])[0]
        return StreamRecError(
            f"MLflow at {self._target} cannot be used: {said or type(error).__name__}; --mlflow takes a folder, or the "
            "address of a tracking server"
        )


def name_address(target: str) -> str:
    """Return the tracking URI of a target: a folder is one by its path.

    Example:
        >>> name_address("http://tracking:5000"), name_address("/tmp/runs")
        ('http://tracking:5000', 'file:///tmp/runs')
    """
    return target if re.match(r"[a-z0-9+.-]{2,}:", target) else Path(target).resolve().as_uri()


def flatten_params(said: Mapping[str, Any]) -> dict[str, str]:
    """Return what was judged, and the settings that lists depend on, by dotted name."""
    protocol = {f"protocol.{key}": value for key, value in said["protocol"].items()}
    settings = {
        f"{section}.{key}": value for section, values in said["settings"].items() for key, value in values.items()
    }
    version = {"version": said["version"]} if "version" in said else {}
    return {
        _name_key(key): str(value)[:LONGEST] or "none" for key, value in {**version, **protocol, **settings}.items()
    }


def flatten_metrics(said: Mapping[str, Any]) -> dict[str, float]:
    """Return each figure by method and name, as ``stream_rec/ndcg``; of the engine by part too.

    The difference to the best baseline is under ``over_best``, what NDCG is more by a part of the engine under
    ``worth``. What there is none of is left out.
    """
    found: dict[str, float | None] = {}
    for name, result in said["results"].items():
        if "error" in result:
            continue
        found |= {f"{name}/{key}": result[key] for key in (*MEASURES, *OF_LISTS)}
        found |= {f"{name}/{key}": result["cost"][key] for key in ("event_ms", "peak_mb")}
        if name == ENGINE:
            for part, of in result["slices"].items():
                found |= {f"{name}/{part}/{key}": of[key] for key in ("n", "ndcg", "hit_rate")}
        if "probabilities" in result:
            found |= {f"{name}/{key}": result["probabilities"][key] for key in OF_PROBABILITIES}
            found |= {f"{name}/roc_auc": result["roc_auc"]["mean"]}
    for part, of in (said.get("without") or {}).items():
        ndcg = of["parts"]["all"]["ndcg"]
        found |= {f"worth/{part}": ndcg["value"] - ndcg["base"]}
    for metric, of in (said.get("comparison") or {}).items():
        if isinstance(of, Mapping):
            found |= {f"over_best/{metric}_{key}": value for key, value in of.items()}
    return {_name_key(key): float(value) for key, value in found.items() if value is not None}


def batched_pairs(values: Mapping[str, Any], n: int) -> Iterator[list[tuple[str, Any]]]:
    """Yield the items of a mapping, ``n`` at a time."""
    pairs = list(values.items())
    for start in range(0, len(pairs), n):
        yield pairs[start : start + n]


def _name_key(key: str) -> str:
    """Return a name that MLflow takes."""
    for sign, word in WORDS.items():
        key = key.replace(sign, word)
    return re.sub(r"[^\w\-. /]", "_", key)
