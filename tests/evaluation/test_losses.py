"""Where a baseline is better."""

from __future__ import annotations

from stream_rec.evaluation.losses import Loss, find_losses, write_page


def result(
    first: tuple[int, float, float], second: tuple[int, float, float], **parts: tuple[int, float, float]
) -> dict:
    """Return a result from (events, NDCG, hit rate) of the halves and of some slices."""

    def part(n: int, ndcg: float, hit_rate: float) -> dict:
        return {"n": n, "ndcg": ndcg if n else None, "hit_rate": hit_rate if n else None}

    halves = {"first": part(*first), "second": part(*second)}
    n = first[0] + second[0]
    whole = {metric: sum(h["n"] * h[metric] for h in halves.values()) / n for metric in ("ndcg", "hit_rate")}
    return {**whole, "halves": halves, "slices": {name: part(*one) for name, one in parts.items()}}


RESULTS = {
    "stream_rec": result((10, 0.5, 0.6), (10, 0.5, 0.6), new=(4, 0.1, 0.3), seen=(16, 0.6, 0.7), none=(0, 0, 0)),
    "stream_rec_exploring": result((10, 1, 1), (10, 1, 1), new=(4, 1, 1), seen=(16, 1, 1), none=(0, 0, 0)),
    "popular": result((10, 0.4, 0.7), (10, 0.4, 0.4), new=(4, 0.2, 0.3), seen=(16, 0.5, 0.7), none=(0, 0, 0)),
    "nearest": result((10, 0.3, 0.65), (10, 0.3, 0.4), new=(4, 0.15, 0.4), seen=(16, 0.5, 0.7), none=(0, 0, 0)),
    "broken": {"error": "no"},
}


def test_every_part_and_measure_in_which_a_baseline_is_better():
    """With the best of them and how many there are; not where they are level, not of empty parts, not of ourselves."""
    assert find_losses(RESULTS) == [
        Loss("half=first", 10, "hit_rate", 0.6, "popular", 0.7, 2),
        Loss("new", 4, "ndcg", 0.1, "popular", 0.2, 2),
        Loss("new", 4, "hit_rate", 0.3, "nearest", 0.4, 1),
    ]


def test_a_loss_of_all_events_is_said_first():
    """Above all parts."""
    better = {
        **RESULTS,
        "popular": result((10, 0.6, 0.6), (10, 0.6, 0.6), **{n: (0, 0, 0) for n in ("new", "seen", "none")}),
    }
    better["popular"]["slices"] |= {n: {"n": 1, "ndcg": 0.0, "hit_rate": 0.0} for n in ("new", "seen")}

    assert find_losses(better)[0] == Loss("all", 20, "ndcg", 0.5, "popular", 0.6, 1)


def test_the_page_has_tables_for_each_log():
    """What was lost, and what was chosen; a log without a loss says so by its count."""
    chosen = {"settings": {"rate": 0.05, "window": None}, "warm_up_ndcg": 0.25, "n_trials": 7}
    methods = {name: {**one, "chosen": chosen if name == "popular" else None} for name, one in RESULTS.items()}
    text = write_page({"a": methods, "b": {"stream_rec": RESULTS["stream_rec"]}}, command="make it")

    assert "    make it\n" in text
    assert "## a\n\nA baseline is better in 2 of 5 parts.\n\n| part |" in text
    assert "| new | 4 | hit_rate | 0.3000 | 0.4000 | nearest | 1 |\n" in text
    assert "- `popular` (7 trials, 0.2500): rate 0.05, window none.\n" in text
    assert text.endswith("## b\n\nA baseline is better in 0 of 5 parts.\n")
