"""An evaluation as a run of MLflow, in a store of its own in a folder."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import pytest

from stream_rec.errors import StreamRecError
from stream_rec.evaluation.tracking import EXPERIMENT, MlflowRun, batched_pairs, flatten_metrics, flatten_params

SAID = {
    "version": "1.2",
    "protocol": {"events": "log.jsonl", "limit": None, "encoder": "hashing@1", "digest": "ab", "not_used": {}},
    "settings": {"ranking": {"n": 20, "diversity": 0.1}},
    "comparison": {"baseline": "ease", "ndcg": {"mean": 0.02, "low": 0.01, "high": 0.03}},
    "results": {
        "stream_rec": {
            **{"precision": 0.03, "recall": 0.4, "f1": 0.05},
            **{"ndcg": 0.3, "hit_rate": 0.5, "mrr": 0.2, "coverage": 0.9, "gini": 0.4, "intra_list_similarity": None},
            **{"novelty": 9.0, "calibration": None, "cost": {"event_ms": 2.0, "peak_mb": 100.0}},
            "slices": {
                "user<5": {"n": 7, "ndcg": 0.25, "hit_rate": 0.4},
                "user=20+": {"n": 0, "ndcg": None, "hit_rate": None},
            },
        },
        "bad": {"error": "no"},
    },
}


@pytest.fixture
def mlflow(monkeypatch):
    """Return the real MLflow."""
    if not find_spec("mlflow"):
        missing = "the extra `mlflow` is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    import mlflow

    return mlflow


def test_its_makers_are_told_nothing(tmp_path, monkeypatch, mlflow):
    """Unless its own variable says otherwise."""
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    MlflowRun(str(tmp_path), name="log")

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_metrics_have_names_that_mlflow_takes():
    """Parts in words; what there is none of, and who failed, is left out."""
    found = flatten_metrics(SAID)

    assert found["stream_rec/ndcg"] == 0.3 and found["stream_rec/user_under_5/hit_rate"] == 0.4
    assert found["over_best/ndcg_low"] == 0.01
    assert "stream_rec/calibration" not in found and "stream_rec/user_20_or_more/ndcg" not in found
    assert not [name for name in found if name.startswith("bad")]


def test_parameters_are_what_was_judged_and_the_settings():
    """As text, none too long; an empty one says none, for MLflow takes no empty text everywhere."""
    found = flatten_params({**SAID, "protocol": {"events": "x" * 900, "encoder": ""}})

    assert found["ranking.n"] == "20" and found["version"] == "1.2"
    assert len(found["protocol.events"]) == 500 and found["protocol.encoder"] == "none"


def test_many_are_sent_in_parts():
    """Each once."""
    sent = list(batched_pairs({str(n): n for n in range(5)}, 2))

    assert sent == [[("0", 0), ("1", 1)], [("2", 2), ("3", 3)], [("4", 4)]]


def test_a_run_is_read_back_as_it_was_logged(mlflow, tmp_path):
    """Parameters, metrics and files; a second run goes to the same experiment."""
    page = tmp_path / "index.html"
    page.write_text("<p>hello</p>")
    folder = tmp_path / "runs"
    run_id = MlflowRun(str(folder), name="first").log(SAID, [page])
    MlflowRun(str(folder), name="second").log(SAID, [])
    client = mlflow.MlflowClient(tracking_uri=folder.as_uri())
    run = client.get_run(run_id)
    experiment = client.get_experiment_by_name(EXPERIMENT)

    assert run.data.metrics == flatten_metrics(SAID)
    assert run.data.params == flatten_params(SAID)
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert [file.path for file in client.list_artifacts(run_id)] == ["index.html"]
    assert len(client.search_runs([experiment.experiment_id])) == 2


@pytest.mark.parametrize("target", ["http://127.0.0.1:1", "nosuch://place"])
def test_a_place_that_cannot_be_used_is_said_before_the_work(mlflow, target):
    """With the address, and what may be given."""
    with pytest.raises(StreamRecError, match=r"MLflow at .* cannot be used: .*--mlflow takes a folder, or the address"):
        MlflowRun(target, name="x")


def test_without_mlflow_the_message_says_what_to_install(monkeypatch, tmp_path):
    """Nothing is written."""
    monkeypatch.setitem(sys.modules, "mlflow", None)

    with pytest.raises(StreamRecError, match=r"pip install 'stream-rec\[mlflow\]'"):
        MlflowRun(str(tmp_path / "runs"), name="x")
    assert not (tmp_path / "runs").exists()
