"""`stream-rec evaluate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream_rec.cli import cli
from stream_rec.errors import FileProblem, StreamRecError
from stream_rec.evaluation.baselines import BASELINES
from stream_rec.events.item import Item
from tests.evaluation.logs import Popular, broken, first_items, many_rows, search_line, write_events, write_items

pytestmark = pytest.mark.thorough

ITEM_IDS = [f"i{n}" for n in range(6)]


@pytest.fixture(autouse=True)
def baselines(monkeypatch):
    """Four methods instead of the real baselines."""
    made = {"popular": Popular, "first": first_items, "broken": broken, "choosing": BASELINES["popularity"]}
    monkeypatch.setattr("stream_rec.evaluation.baselines.BASELINES", made)


@pytest.fixture
def log(tmp_path) -> tuple[Path, Path]:
    """Return a file of items and one of events."""
    return write_items(tmp_path / "items.jsonl", ITEM_IDS), write_events(tmp_path / "events.jsonl", many_rows())


def run(items: Path, events: Path, *arguments: object, baselines: str = "none") -> Result:
    """Call the command."""
    files = ["--items", items, "--events", events, "--cache", items.parent / "cache", "--encoder", "hashing"]
    return CliRunner().invoke(cli, ["evaluate", *map(str, [*files, "--baselines", baselines, *arguments])])


def said(items: Path, events: Path, *arguments: object, baselines: str = "none") -> tuple[dict, Result]:
    """Return what the command writes as JSON."""
    file = items.parent / "out" / "said.json"
    result = run(items, events, "--json", file, *arguments, baselines=baselines)
    assert file.exists(), result.output
    return json.loads(file.read_text()), result


def without_cost(told: dict) -> dict:
    """Return it less the times and the memory."""
    results = {name: {k: v for k, v in one.items() if k != "cost"} for name, one in told["results"].items()}
    return {**told, "results": results}


def test_a_page_that_cannot_be_drawn_is_refused_before_the_work(log, tmp_path, monkeypatch):
    """What is to be installed is said before hours have passed."""
    monkeypatch.setattr("stream_rec.cli.judging.find_spec", lambda package: None)

    result = run(*log, "--report", tmp_path / "report")

    assert isinstance(result.exception, StreamRecError) and "stream-rec[report]" in str(result.exception)


def test_mlflow_that_is_not_there_is_said_before_the_work(log, tmp_path, monkeypatch):
    """With what is to be installed; nothing is written."""
    monkeypatch.setitem(sys.modules, "mlflow", None)

    result = run(*log, "--mlflow", tmp_path / "runs", "--json", tmp_path / "said.json")

    assert isinstance(result.exception, StreamRecError) and "stream-rec[mlflow]" in str(result.exception)
    assert not (tmp_path / "said.json").exists()


@pytest.mark.slow
def test_an_evaluation_from_end_to_end(log, tmp_path):
    """Table on stdout, best first; JSON and page in their files; a second run, two at a time, says the same."""
    told, result = said(*log, "--report", tmp_path / "report", "--list-size", 5, baselines="popular,first")
    again, _ = said(*log, "--list-size", 5, "--jobs", 2, baselines="popular,first")

    assert result.exit_code == 0, result.output
    assert without_cost(told) == without_cost(again)
    assert list(told["results"]) == ["stream_rec", "stream_rec_random", "popular", "first"]
    rows = [line.split("│")[1].strip() for line in result.stdout.splitlines() if line.startswith("│")]
    assert rows == sorted(told["results"], key=lambda name: -told["results"][name]["ndcg"])
    assert told["comparison"]["baseline"] in {"popular", "first"}
    assert told["protocol"]["n_warm_events"] in range(24, 27) and told["protocol"]["n_events"] == 120
    assert told["settings"]["ranking"]["n"] == told["protocol"]["list_size"] == 5
    assert not {"data_dir", "models_dir"} & told["settings"]["embedder"].keys()
    page = (tmp_path / "report" / "index.html").read_text()
    assert "<svg" in page and "Some users from near" in page and "Then viewed <b>thing i" in page
    assert told["version"] and "examples" not in told
    assert all(one["cost"]["peak_mb"] > 10 for one in told["results"].values())


@pytest.mark.slow
def test_the_engine_is_observed(log, tmp_path):
    """As it does not explore: its lists at several diversities; and as the control, where its candidates came from."""
    told, _ = said(*log, "--report", tmp_path, "--exploring", baselines="popular")
    measured = told["results"]["stream_rec"]
    text = (tmp_path / "index.html").read_text()

    assert [name for name, one in told["results"].items() if "frontier" in one] == ["stream_rec"]
    assert [name for name, one in told["results"].items() if "candidates" in one] == ["stream_rec", "stream_rec_random"]
    assert measured["candidates"]["recall"] >= measured["hit_rate"] > 0
    assert measured["candidates"]["slices"].keys() == measured["slices"].keys()
    assert [point["diversity"] for point in measured["frontier"]] == [0, 0.1, 0.2, 0.35, 0.5, 0.75, 1]
    assert "Candidates: what could have been in a list" in text and "What variety costs" in text


@pytest.mark.slow
def test_ratings_are_judged_where_they_have_a_scale(tmp_path, monkeypatch):
    """Each before it is learned, next to baselines; without a scale nothing is said of them."""
    fields = {"event_type": "view"}
    lines = [
        json.dumps(
            fields
            | {"event_id": f"e{n}", "user_id": f"u{n % 7}", "item_id": f"i{n % 5}"}
            | {"timestamp": 1000 + n, "value": 1 + n % 5}
        )
        for n in range(60)
    ]
    log = write_items(tmp_path / "items.jsonl", ITEM_IDS), write_events(tmp_path / "events.jsonl", lines)
    plain, _ = said(*log, "--no-control")
    monkeypatch.setenv("STREAM_REC_RATINGS_SCALE", "1,5")
    told, result = said(*log, "--no-control")

    assert told["ratings"]["n"] == told["protocol"]["n_scored_events"] and told["ratings"]["scale"] == [1, 5]
    assert told["ratings"]["methods"].keys() >= {"stream_rec", "global_mean", "damped_means"}
    assert "ratings from 1 to 5" in result.stdout
    assert told["settings"].pop("ratings")["scale"] == "1,5" and told["settings"] == plain["settings"]
    assert "ratings" not in plain
    assert without_cost(told)["results"] == without_cost(plain)["results"]


@pytest.mark.slow
def test_rules_have_their_price(log, tmp_path):
    """The engine under rules stands beside it; a file with a fault is named before anything is run."""
    rule = {"rule_id": "r", "action": "ban", "author": "ann", "reason": "a test", "target": {"item_ids": ITEM_IDS[1:]}}
    file = tmp_path / "rules.jsonl"
    file.write_text(json.dumps(rule))
    told, _ = said(*log, "--no-control", "--rules", file)

    assert list(told["results"]) == ["stream_rec", "stream_rec_ruled"]
    assert told["results"]["stream_rec_ruled"]["list_length"] == 1 < told["results"]["stream_rec"]["list_length"]
    file.write_text(json.dumps(rule | {"target": {}}))
    refused = run(*log, "--rules", file)
    assert refused.exit_code == 2 and "line 1: bad_rule: a ban needs a `target`" in refused.stderr


@pytest.mark.slow
def test_what_parts_are_worth(log, tmp_path):
    """Each is left out alone, or some together, and compared with the whole engine; what is not there is named."""
    told, result = said(
        *log, "--no-control", "--report", tmp_path, *("--without", "text+factors", "--without", "searches")
    )
    worth, page = told["without"], (tmp_path / "index.html").read_text()

    assert list(told["results"]) == ["stream_rec", "stream_rec_without_text+factors"]
    assert list(worth) == ["text+factors"] and worth["text+factors"]["base"] == "stream_rec_without_text+factors"
    assert worth["text+factors"]["parts"]["all"]["ndcg"]["value"] == pytest.approx(
        told["results"]["stream_rec"]["ndcg"]
    )
    assert "--without searches changes nothing here: the log has no searches" in result.stderr
    assert told["comparison"] is None and "│ text+factors " in result.stdout
    assert "What each part is worth" in page and "Probabilities: are they right?" in page
    assert "precision@20" in result.stdout and "ROC-AUC" in result.stdout


def test_parts_have_names(log):
    """They are listed; a slip is answered with a guess; and somebody has to rank."""
    listed, slip, nobody = (run(*log, "--without", which) for which in ("list", "successor", "networks+linear"))

    assert listed.exit_code == 0 and "successors " in listed.stdout and not listed.stderr
    assert slip.exit_code == 2 and "there is no part 'successor'; did you mean successors?" in slip.stderr
    assert nobody.exit_code == 2 and "one has to stay" in nobody.stderr


@pytest.mark.slow
def test_what_text_brings_is_said_unless_it_is_not_asked_for(log, tmp_path):
    """Below the table, in the JSON and on the page; without a text there is nothing to ask."""
    told, result = said(*log, "--report", tmp_path)
    without, silent = said(*log, "--no-control")
    textless, _ = said(write_items(tmp_path / "mute", [Item(item_id) for item_id in ITEM_IDS]), log[1])

    assert told["text"]["base"] == "stream_rec_random" and list(told["results"]) == ["stream_rec", "stream_rec_random"]
    assert told["text"]["parts"]["all"]["ndcg"]["value"] == pytest.approx(told["results"]["stream_rec"]["ndcg"])
    assert told["text"]["parts"]["all"]["ndcg"]["base"] == pytest.approx(told["results"]["stream_rec_random"]["ndcg"])
    assert told["comparison"] is None
    assert "what text brings, over random vectors: ndcg@20 " in result.stdout
    assert "What text brings" in (tmp_path / "index.html").read_text()
    assert without["text"] is textless["text"] is None
    assert list(without["results"]) == list(textless["results"]) == ["stream_rec"]
    assert "what text brings" not in silent.stdout


@pytest.mark.slow
def test_an_evaluation_is_compared_with_an_earlier_one(log, tmp_path):
    """By part, in the JSON, on the page and below the table; what is the same has not changed."""
    earlier = tmp_path / "earlier.json"
    run(*log, "--json", earlier, "--no-control")
    told, result = said(*log, "--report", tmp_path, "--against", earlier, "--no-control")
    against = told["against"]

    assert result.exit_code == 0, result.output
    assert (against["file"], against["settings"]) == ("earlier.json", {})
    assert against["parts"]["all"]["n"] == told["protocol"]["n_scored_events"]
    assert against["parts"]["all"]["ndcg"]["base"] == pytest.approx(told["results"]["stream_rec"]["ndcg"])
    assert against["parts"]["all"]["ndcg"]["difference"] == {"mean": 0, "low": 0, "high": 0}
    assert "against earlier.json, the same settings and encoder" in result.stdout
    assert "candidate recall" in result.stdout
    assert "Against earlier.json" in (tmp_path / "index.html").read_text()


@pytest.mark.slow
def test_what_searches_bring_takes_two_commands(log, tmp_path):
    """The parts are told of both; the second is compared with the first, and says in what they differ."""
    rows = [
        search_line(user, item, at) if n % 3 == 0 else (user, item, at)
        for n, (user, item, at) in enumerate(many_rows())
    ]
    events = write_events(tmp_path / "searched.jsonl", rows)
    earlier = tmp_path / "earlier.json"
    run(log[0], events, "--json", earlier, "--no-control", "--ignore-searches", "--critiques", "nicer")
    told, result = said(log[0], events, "--report", tmp_path, "--against", earlier, "--no-control")
    before = json.loads(earlier.read_text())

    assert result.exit_code == 0, result.output
    for one in (before, told):
        assert one["protocol"]["n_searches"] == 40 and one["protocol"]["n_events"] == 80
        parts = one["results"]["stream_rec"]["slices"]
        assert parts["after=search"]["n"] + parts["after=event"]["n"] == one["protocol"]["n_scored_events"]
        assert parts["after=search"]["n"] > 5
    assert before["protocol"]["ignores_searches"] and "ignores_searches" not in told["protocol"]
    assert told["against"]["settings"]["searches.ignores_searches"] == {"base": True, "value": None}
    assert {"after=search", "after=event"} <= told["against"]["parts"].keys()
    assert "<dt>searches</dt><dd>40</dd>" in (tmp_path / "index.html").read_text()


@pytest.mark.slow
def test_critiques_that_no_event_has_are_named(log, tmp_path):
    """Those that some have are searches; without searches it can be compared all the same."""
    view = {"event_type": "view", "source_type": "nicer"}
    rows = [
        json.dumps(view | {"user_id": user, "item_id": item, "timestamp": at}) if n % 3 == 0 else (user, item, at)
        for n, (user, item, at) in enumerate(many_rows())
    ]
    events = write_events(tmp_path / "criticized.jsonl", rows)
    earlier = tmp_path / "earlier.json"
    run(log[0], events, "--json", earlier, "--no-control")
    told, result = said(log[0], events, "--against", earlier, "--no-control", "--critiques", "nicer, cheaper")

    assert result.exit_code == 0, result.output
    assert "no event that was read has the source_type cheaper" in result.stderr
    assert (told["protocol"]["n_searches"], told["protocol"]["n_events"]) == (40, 120)
    assert told["protocol"]["critiques"] == ["cheaper", "nicer"]
    assert "after=search" in told["results"]["stream_rec"]["slices"]
    assert told["against"]["parts"] and "after=search" not in told["against"]["parts"]


@pytest.mark.slow
def test_another_log_is_not_compared(log, tmp_path):
    """Nor the same one judged otherwise: that is refused before anything is read."""
    earlier = tmp_path / "earlier.json"
    run(*log, "--json", earlier, "--no-control")
    other = write_events(tmp_path / "other.jsonl", many_rows()[:-1])
    refused = [run(*log, "--against", earlier, "--seed", 1), run(log[0], other, "--against", earlier)]

    assert [type(result.exception) for result in refused] == [FileProblem, FileProblem]
    assert "differs in --seed (0 before, 1 now)" in str(refused[0].exception)
    assert "differs in the log, or which of its items are listed" in str(refused[1].exception)


@pytest.mark.slow
def test_what_a_baseline_chose_is_said(log, tmp_path):
    """Below the table, in the JSON and on the page."""
    told, result = said(*log, "--report", tmp_path, baselines="choosing")
    chosen = told["results"]["choosing"]["chosen"]

    assert chosen["settings"].keys() == {"without_taken"} and chosen["n_trials"] == 2
    assert f"choosing chose without_taken {'yes' if chosen['settings']['without_taken'] else 'no'}" in result.stdout
    assert "Settings that were chosen" in (tmp_path / "index.html").read_text()


@pytest.mark.slow
def test_a_failed_method_is_exit_code_1(log):
    """The others are reported."""
    told, result = said(*log, baselines="popular,broken")

    assert result.exit_code == 1
    assert "broken failed: ArithmeticError: the matrix is singular" in result.stderr
    assert "error" in told["results"]["broken"] and told["results"]["popular"]["ndcg"] > 0


@pytest.mark.slow
def test_a_difficult_log(tmp_path):
    """Bad lines, disorder, unknown items, items without text and unavailable ones: all counted, none a stop."""
    rows = [*many_rows(), ("u1", "unknown", 1.3e9), "{", '{"event_type": "view"}', ("u2", "off", 1.2e9)]
    items = [*ITEM_IDS, Item("off", title="gone", available=False), Item("mute")]
    told, result = said(write_items(tmp_path / "items", items), write_events(tmp_path / "events", [*rows, "[]"]))
    protocol = told["protocol"]

    assert result.exit_code == 1
    assert protocol["not_used"] == {"not_json": 1, "missing_field": 1, "wrong_type": 1}
    assert (protocol["n_out_of_order"], protocol["n_items_without_text"]) == (1, 1)
    assert (protocol["n_scored_of_unlisted_items"], protocol["n_items_listed"]) == (2, 7)
    assert told["results"]["stream_rec"]["slices"]["item=unlisted"] == {
        "n": 2, "share": 2 / protocol["n_scored_events"], "hit_rate": 0, "ndcg": 0, "mrr": 0,
    }  # fmt: skip
    for words in ("1 events were out of order", "1 items have no text", "2 of 9", "skipped 3 bad lines: 1 not_json"):
        assert words in result.stderr


@pytest.mark.slow
def test_nothing_but_one_user_and_one_time_and_no_text(tmp_path):
    """No interval, no similarity, no calibration, and no error."""
    events = write_events(tmp_path / "events", [("1", str(n % 3), 5) if n < 9 else ("2", "0", 5) for n in range(10)])
    told, result = said(write_items(tmp_path / "items", [Item("0"), Item("1")]), events)
    measured = told["results"]["stream_rec"]

    assert result.exit_code == 0, result.output
    assert (told["protocol"]["n_scored_events"], measured["hit_rate"]) == (1, 1)
    assert measured["ci"] is measured["calibration"] is measured["intra_list_similarity"] is None
    assert told["protocol"]["encoder"] == ""


@pytest.mark.parametrize(
    ("rows", "items", "words"),
    [
        ([], ITEM_IDS, "events is empty"),
        (["{}"], ITEM_IDS, "no event that can be used"),
        ([("u", "i0", 1), ("u", "i1", 1)], ITEM_IDS, "the log is too small"),
        (many_rows(), [], "items is empty"),
    ],
)
def test_a_log_of_which_nothing_can_be_said_is_an_error(tmp_path, rows, items, words):
    """The message says what is missing."""
    result = run(write_items(tmp_path / "items", items), write_events(tmp_path / "events", rows))

    assert isinstance(result.exception, FileProblem)
    assert words in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--baselines", "popular,best"],
            "there is no baseline best; all, none, or some of: popular, first, broken, choosing",
        ),
        (["--warmup", "1"], "--warmup"),
        (["--limit", "0"], "--limit"),
        (["--list-size", "0"], "--list-size"),
        (["--jobs", "0"], "--jobs"),
        (["--critiques", "nicer,_"], "'_' is nothing that can be asked for: query is blank"),
        (["--against"], "--against"),
    ],
)
def test_a_wrong_call_is_exit_code_2(log, arguments, words):
    """Refused before anything is read."""
    result = run(*log, *arguments)

    assert result.exit_code == 2
    assert words in result.output


def test_a_place_that_cannot_be_written_is_found_first(log, tmp_path):
    """Not after the work."""
    result = run(*log, "--json", tmp_path)

    assert isinstance(result.exception, FileProblem)
    assert "cannot be written" in str(result.exception)
