"""The evaluation as one page that needs nothing else: tables, pictures, and how it was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from types import MappingProxyType
from typing import Any

from stream_rec.evaluation import plots
from stream_rec.evaluation.against import COSTS, describe_differences
from stream_rec.evaluation.baselines.choice import describe_settings
from stream_rec.evaluation.changes import describe
from stream_rec.evaluation.contenders import CONTROL, ENGINE, is_baseline
from stream_rec.evaluation.evaluation import EVERYTHING
from stream_rec.evaluation.example_cards import render_examples
from stream_rec.evaluation.examples import Example
from stream_rec.evaluation.judgement import judge, name_outcome, tell_figures
from stream_rec.evaluation.losses import Loss, find_losses
from stream_rec.evaluation.page import render_document, render_head, render_row, render_rows, start_section
from stream_rec.evaluation.tables import (
    BY_LIST,
    COST,
    FRONTIER,
    LIKENESS,
    list_accuracy,
    render_cell,
    render_changes,
    render_slice_table,
    render_table,
)

OUTCOMES = {
    "better": "better than the best simple method",
    "worse": "worse than the best simple method",
    "level": "not told apart from the best simple method",
    "unknown": "nothing to be said",
}
"""What stands on the badge."""

WORTH = {
    "all": "All events",
    "user<5": "Users with under 5 events",
    "item<5": "Items with under 5 events",
    "pair=new": "Things that are new to the user",
}
"""Parts of the events for which it is shown what parts of the engine are worth."""


def render_page(
    said: Mapping[str, Any],
    *,
    losses: Sequence[Loss] | None = None,
    examples: Sequence[Example] = (),
    titles: Mapping[str, str | None] = MappingProxyType({}),
) -> str:
    """Return the HTML of what ``stream-rec evaluate`` says. The same evaluation gives the same page.

    Args:
        losses: Where a baseline is better, with intervals; without it, as ``find_losses`` has them.
        examples: Users that were looked at from near.
        titles: Of items, by id.
    """
    protocol = said["protocol"]
    done = {name: result for name, result in said["results"].items() if "error" not in result}
    done = dict(sorted(done.items(), key=lambda one: -one[1]["ndcg"]))
    failed = {name: result["error"] for name, result in said["results"].items() if "error" in result}
    if losses is None:
        losses = find_losses(said["results"]) if ENGINE in done else []
    parts = [f'<p class="failed">{escape(name)} failed: {escape(why)}</p>' for name, why in failed.items()]
    if ENGINE in done:
        parts += [_show_key_numbers(said), *render_examples(examples, titles)]
    if done:
        parts += _show_measured(said, done, losses)
    parts += [start_section("Protocol"), _show_protocol(protocol)]
    parts += [start_section("Settings"), _show_settings(said["settings"])]
    head = f"<h1>How good are the lists?</h1>{_introduce(said, losses)}"
    return render_document(f"How good are the lists? {protocol['events']}", head, parts)


def _introduce(said: Mapping[str, Any], losses: Sequence[Loss]) -> str:
    """Return what it comes to, for who sells things, and then what was done."""
    protocol = said["protocol"]
    plain = tell_figures(said)
    outcome = name_outcome(said["comparison"])
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in judge(said, losses))
    badge = f'<span class="badge {outcome}">{OUTCOMES[outcome]}</span>' if said["comparison"] else ""
    return (
        (f'<div class="plain"><p class="lead">{escape(plain)}</p>{badge}{sentences}</div>' if plain else "")
        + f'<p class="note">{escape(protocol["events"])}: {protocol["n_scored_events"]:,} of {protocol["n_events"]:,} '
        f"events by {protocol['n_users']:,} users, {protocol['n_items_listed']:,} items. Before each event a list of "
        f"{protocol['list_size']} was made of what was known until then; then the event was looked up in it, and only "
        f"then learned from. Items are read by {escape(protocol['encoder'] or 'no encoder')}.</p>"
    )


def _show_measured(said: Mapping[str, Any], done: dict[str, Any], losses: Sequence[Loss]) -> list[str]:
    """Return the sections that need at least one method that ran to its end."""
    n, first = said["protocol"]["list_size"], next(iter(done.values()))
    return [
        start_section("Accuracy"),
        f'<p class="note">Means over events. hit_rate: the item was in the list of {n}. '
        "ndcg: 1 / log<sub>2</sub>(rank + 1). mrr: 1 / rank. Between the bounds the mean lies in 95 of 100 resamples "
        "of the users. Half 1, half 2: ndcg of the first and of the second half of the scored events.</p>",
        plots.plot_ranking(done),
        render_table(done, list_accuracy(n), "Accuracy of each method"),
        f"<details><summary>Precision, recall and F1 of the list of {n}</summary>"
        '<p class="note">Means over lists. Relevant to a list is all that its user did at that moment, as many '
        "different items as an order has.</p>"
        f"{render_table(done, BY_LIST, 'Precision, recall and F1 of each method')}</details>",
        *_show_choices(done),
        *_show_against(said),
        start_section("Over time"),
        '<p class="note">Each point is the mean over the last 5 % of the scored events. Baselines without a colour are '
        "grey.</p>",
        plots.plot_over_time(done),
        start_section("Who gains: parts of the events"),
        '<p class="note">Below each part its share of the scored events. What a user or item had is counted before the '
        "event.</p>",
        plots.plot_slices(done, first["slices"]),
        render_slice_table(done),
        *_show_losses(said["results"], losses),
        *_show_ratings(said),
        *_show_text(said, done),
        *_show_without(said),
        *_show_candidates(done),
        *_show_probabilities(done),
        start_section("Cold start"),
        plots.plot_cold_start(done),
        start_section("Cost"),
        '<p class="note">Each method ran in a process of its own. Peak memory counts the interpreter and the log, '
        "which all have. Milliseconds of a list and of learning an event are means, with median and 99th percentile."
        "</p>",
        plots.plot_cost(done),
        render_table(done, COST, "What each method costs"),
        start_section("What the lists are like"),
        '<p class="note">Coverage: share of the items shown at least once. Gini: 0 where all items are shown equally '
        "often, near 1 where a few take all. Similarity: mean cosine of two items of a list. Novelty: mean "
        "-log<sub>2</sub> of the share of events that an item had. Calibration: KL divergence of a user's past "
        "from the list, by category or tags; 0 is the same mixture.</p>",
        render_table(done, LIKENESS, "What the lists of each method are like"),
        *_show_frontier(said, done),
    ]


def _show_choices(done: Mapping[str, Any]) -> list[str]:
    """Return what baselines chose, if there are any."""
    chosen = {name: result for name, result in done.items() if result["chosen"]}
    if not chosen:
        return []
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{result["chosen"]["n_trials"]}</td>'
        f"<td>{render_cell(result['chosen']['warm_up_ndcg'], '.4f')}</td>"
        f"<td>{render_cell(result['cost']['choosing_s'], '.1f')}</td>"
        f'<td class="text">{escape(describe_settings(result["chosen"]["settings"]))}</td></tr>'
        for name, result in chosen.items()
    )
    head = render_head("method", "trials", "ndcg there", "seconds", "settings", texts=1)
    return [
        '<p class="note">Each baseline chose its settings on the events that only teach: it learned the first half of '
        "them with each of a few settings, and was scored on the second half; then it learned all of them with the "
        "best. "
        f"{ENGINE} has the same settings on every log.</p>",
        "<details><summary>Settings that were chosen</summary>"
        f"{render_rows('Settings that each baseline chose', head, rows)}</details>",
    ]


def _show_losses(results: Mapping[str, Any], losses: Sequence[Loss]) -> list[str]:
    """Return where a baseline is better than the engine, if the engine ran and there was anything to compare with."""
    if "error" in results.get(ENGINE, {"error": ""}) or not any(map(is_baseline, results)):
        return []
    if not losses:
        return ['<p class="note">No baseline is better in any part.</p>']
    rows = "".join(
        render_row(
            one.part,
            f"{one.n:,}",
            one.metric,
            f"{one.ours:.4f}",
            f"{one.theirs:.4f}",
            escape(one.baseline),
            str(one.n_better),
            _render_difference(one),
        )
        for one in losses
    )
    titles = ("part", "events", "measure", ENGINE, "best baseline", "which", "better ones", "difference, 95 %")
    table = render_rows("Where a baseline is better", render_head(*titles), rows)
    return [
        "<details open><summary>Where a baseline is better</summary>"
        '<p class="note">The difference is bold where its interval leaves out 0. The best of many methods in a part is '
        f"partly luck, which the interval does not know of.</p>{table}</details>"
    ]


def _render_difference(loss: Loss) -> str:
    """Return the difference of a loss, and its interval where there is one."""
    text = f"{loss.ours - loss.theirs:+.4f}"
    if loss.difference is None:
        return text
    interval = f"<small>{loss.difference.low:+.4f} to {loss.difference.high:+.4f}</small>"
    return f"{f'<b>{text}</b>' if loss.is_certain else text} {interval}"


def _show_text(said: Mapping[str, Any], done: Mapping[str, Any]) -> list[str]:
    """Return the section on what the encoder brings, if there was a control to compare it with."""
    text, n = said.get("text"), said["protocol"]["list_size"]
    if not text:
        return []
    parts, names = text["parts"], ("random", "encoder")
    every_part = render_changes(parts, n, names, "What text brings, all parts")
    return [
        start_section("What text brings"),
        f'<p class="note">{CONTROL} is the same engine, over the same events, in which each text has a random vector: '
        f"what it lacks is what {escape(said['protocol']['encoder'])} understands. Where both are level, text brings "
        "nothing there, or what it brings is known from events already. Candidate recall is the share of events whose "
        "item was among the candidates: text can help in finding an item, in ranking it, or in both. Intervals are by "
        "500 resamples of the users; a change whose interval leaves out 0 is bold. One in twenty intervals is wrong by "
        "chance, so believe a pattern rather than a single part.</p>",
        f'<div class="pair">{plots.plot_item_events(done)}{plots.plot_changes(parts)}</div>',
        render_changes({name: parts[name] for name in plots.OF_TEXT if name in parts}, n, names, "What text brings"),
        f"<details><summary>All parts</summary>{every_part}</details>",
    ]


def _show_ratings(said: Mapping[str, Any]) -> list[str]:
    """Return the section on how well ratings are predicted, if there is a scale and the log has some."""
    ratings = said.get("ratings")
    if not ratings:
        return []
    least, most = ratings["scale"]
    rows = "".join(
        render_row(
            name,
            f"{method['rmse']:.4f}",
            f"{method['mae']:.4f}",
            render_cell(method.get("mae_difference"), ""),
            escape(describe_settings(method["settings"])),
        )
        for name, method in sorted(ratings["methods"].items(), key=lambda one: float(one[1]["rmse"]))
    )
    head = render_head("method", "RMSE", "MAE", f"MAE of {ENGINE} less, 95 %", "settings", texts=1)
    return [
        start_section("Ratings"),
        f'<p class="note">{ratings["n"]:,} ratings from {least:g} to {most:g}, with a mean of {ratings["mean"]:.2f}. '
        "Each was predicted before it was learned. Baselines chose their settings on the events that only teach.</p>",
        render_rows("How well ratings are predicted", head, rows),
    ]


def _show_without(said: Mapping[str, Any]) -> list[str]:
    """Return the section on what parts of the engine are worth, if any was left out."""
    without, n = said.get("without"), said["protocol"]["list_size"]
    if not without:
        return []
    names = ("without", "with")
    tables = (
        render_changes(
            {part: of["parts"][name] for part, of in without.items() if name in of["parts"]}, n, names, title
        )
        for name, title in WORTH.items()
    )
    all_events, *others = (f"<h3>{escape(title)}</h3>{table}" for title, table in zip(WORTH.values(), tables))
    told = "".join(f"<dt>{escape(part)}</dt><dd>{escape(of['says'])}</dd>" for part, of in without.items())
    return [
        start_section("What each part is worth"),
        f'<p class="note">{ENGINE} beside itself without a part, over the same events. What other parts can stand in '
        "for is worth little by this measure. Intervals are by 500 resamples of the users; a change whose interval "
        "leaves out 0 is bold. One in twenty is so by chance.</p>",
        all_events,
        f"<details><summary>New users, new items, new pairs</summary>{''.join(others)}</details>",
        f"<details><summary>What was left out</summary><dl>{told}</dl></details>",
    ]


def _show_probabilities(done: Mapping[str, Any]) -> list[str]:
    """Return the section on whether probabilities are right, if the engine was observed."""
    result = done.get(ENGINE, {})
    if not result.get("probabilities", {}).get("bins"):
        return []
    said, auc = result["probabilities"], result["roc_auc"]
    rows = "".join(
        render_row(
            f"{one['from']:g} to {one['to']:g}", f"{one['n']:,}", f"{one['predicted']:.5f}", f"{one['chosen']:.5f}"
        )
        for one in said["bins"]
    )
    table = render_rows("Said and chosen", render_head("probability", "times", "said, mean", "chosen, share"), rows)
    of_auc = (
        f"Of the other candidates {auc['mean']:.1%} were said to be less likely than the one that was chosen (ROC-AUC, "
        f"over the {auc['n']:,} events whose item was a candidate). "
        if auc["n"]
        else ""
    )
    return [
        start_section("Probabilities: are they right?"),
        f'<p class="note">Each item of a list has a probability that it is what its user does next. {of_auc}'
        f"Brier score {said['brier']:.5f} (one probability for all items of all lists would have "
        f"{said['brier_of_constant']:.5f}), expected calibration error {said['calibration_error']:.5f}. Probabilities "
        "are shares among the candidates: what was none of them makes all of them too high.</p>",
        plots.plot_reliability(said["bins"]),
        f"<details><summary>In numbers</summary>{table}</details>",
    ]


def _show_against(said: Mapping[str, Any]) -> list[str]:
    """Return the section on what has changed since an earlier evaluation, if there is one."""
    against = said.get("against")
    if not against:
        return []
    costs = ", ".join(
        f"{against['cost'][key]['base']:.3f} before and {against['cost'][key]['value']:.3f} after {title}"
        for key, title in COSTS.items()
    )
    return [
        start_section(f"Against {against['file']}"),
        f'<p class="note">{ENGINE} over the same events, before and after. What differs: '
        f"{escape(describe_differences(against))}. Milliseconds: {escape(costs)}. Intervals are by 500 "
        "resamples of the users; a change whose interval leaves out 0 is bold.</p>",
        render_changes(against["parts"], said["protocol"]["list_size"], ("before", "after"), "Changes by part"),
    ]


def _show_candidates(done: Mapping[str, Any]) -> list[str]:
    """Return the section on what lists are made from, if the engine was observed."""
    result = done.get(ENGINE, {})
    if "candidates" not in result:
        return []
    made = result["candidates"]
    sources = list(made["sources"])
    rows = "".join(
        render_row(
            name,
            f"{of['n']:,}",
            f"{of['recall']:.1%}",
            *(
                f"{of['sources'][source]['covers']:.1%} <small>{of['sources'][source]['only']:.1%}</small>"
                for source in sources
            ),
        )
        for name, of in made["slices"].items()
        if of["n"]
    )
    table = render_rows("Sources by part of the events", render_head("part", "events", "recall", *sources), rows)
    return [
        start_section("Candidates: what could have been in a list"),
        f'<p class="note">A list is made from {made["per_list"]["mean"]:.0f} candidates on average '
        f"(median {made['per_list']['p50']:.0f}, 99th percentile {made['per_list']['p99']:.0f}), the union of what all "
        f"sources propose. Recall is the share of events whose item was among them: {made['recall']:.1%}. An event "
        "that only one source proposed would be lost without that source.</p>",
        plots.plot_candidates(result),
        "<details><summary>Sources by part of the events: what each proposed, and what it alone proposed in small"
        f"</summary>{table}</details>",
    ]


def _show_frontier(said: Mapping[str, Any], done: Mapping[str, Any]) -> list[str]:
    """Return the section on diversity, if the engine was observed."""
    points = done.get(ENGINE, {}).get("frontier")
    if not points:
        return []
    used, plain = said["settings"]["ranking"]["diversity"], points[0]["ndcg"]
    rows = "".join(
        render_row(
            f"{point['diversity']:g}{', in use' if point['diversity'] == used else ''}",
            *(render_cell(of(point, plain), form) for _, of, form in FRONTIER),
            css_class="ours" if point["diversity"] == used else "",
        )
        for point in points
    )
    head = render_head("diversity", *(title for title, *_ in FRONTIER))
    return [
        start_section("What variety costs"),
        f'<p class="note">One knob, <code>ranking.diversity</code>. For {points[0]["n_lists"]:,} of the scored groups, '
        "evenly spread, the list was made at each setting from the same candidates and scores, and looked up like the "
        "one shown; without exploration and without the slot for what no list has shown. Bars: 95 % confidence of the "
        "change of NDCG over users; beyond 1 % its axis is logarithmic. Coverage is that of these lists alone.</p>",
        plots.plot_frontier(points, used) if plain > 0 else "",
        render_rows("What each setting of diversity costs and gives", head, rows),
    ]


def _show_key_numbers(said: Mapping[str, Any]) -> str:
    """Return the few numbers that stand first."""
    result, compared = said["results"][ENGINE], said["comparison"]
    n = said["protocol"]["list_size"]
    boxes = [
        (f"{result['ndcg']:.4f}", f"ndcg@{n} of {ENGINE}"),
        (f"{result['hit_rate']:.1%}", f"of events were in the list of {n}"),
    ]
    if compared:
        difference = compared["ndcg"]
        between = f", 95 %: {difference['low']:+.4f} to {difference['high']:+.4f}" if "low" in difference else ""
        boxes.append((f"{difference['mean']:+.4f}", f"NDCG over {compared['baseline']}, the best baseline{between}"))
    if text := said.get("text"):
        change, interval = describe(text["parts"][EVERYTHING]["ndcg"])
        if change:
            boxes.append((change, f"ndcg over random vectors instead of text, 95 %: {interval}"))
    boxes.append((f"{result['cost']['event_ms']:.2f} ms", "per event, list and learning"))
    return '<ul class="key">' + "".join(f"<li><b>{b}</b><span>{escape(s)}</span></li>" for b, s in boxes) + "</ul>"


def _show_protocol(protocol: Mapping[str, Any]) -> str:
    facts = {
        "items": f"{protocol['items']}: {protocol['n_items_listed']:,} listed, "
        f"{protocol['n_items_with_events']:,} with events, {protocol['n_items_without_text']:,} without text",
        "events": f"{protocol['events']}: {protocol['n_events']:,}"
        + (f" (the first {protocol['limit']:,} usable)" if protocol["limit"] else ""),
        **_count_unscored(protocol, "searches"),
        **_count_unscored(protocol, "impressions"),
        "time of the log": f"{_format_day(protocol['first_ms'])} to {_format_day(protocol['last_ms'])}",
        "only teaching": f"{protocol['n_warm_events']:,} events: every group that begins in the first "
        f"{protocol['warmup']:.0%}",
        "scored": f"{protocol['n_scored_events']:,} events in {protocol['n_scored_groups']:,} groups (consecutive "
        f"events of one user at one time), by {protocol['n_scored_users']:,} users",
        "items that may not be shown": f"{protocol['n_scored_of_unlisted_items']:,} scored events: they teach, and "
        "count as misses",
        "out of order": f"{protocol['n_out_of_order']:,} events; all were sorted by time",
        "not used": ", ".join(f"{count:,} lines: {reason}" for reason, count in protocol["not_used"].items())
        or "nothing",
        "encoder": protocol["encoder"] or "none",
        "calibrated by": protocol["genres_from"] or "nothing: items have neither categories nor tags",
        "seed": str(protocol["seed"]),
    }
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>"


def _count_unscored(protocol: Mapping[str, Any], what: str) -> dict[str, str]:
    """Return the fact of how many searches or impressions there are, where there are any."""
    if not protocol.get(f"n_{what}"):
        return {}
    ignored = " (no method was told of them)" if protocol.get(f"ignores_{what}") else ""
    return {what: f"{protocol[f'n_{what}']:,}{ignored}"}


def _show_settings(settings: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"[{section}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
        for section, values in settings.items()
    ]
    text = escape("\n\n".join(lines))
    return f"<details><summary>Those that lists depend on</summary><pre tabindex='0'>{text}</pre></details>"


def _format_day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")
