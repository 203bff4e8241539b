"""The evaluation as one page that needs nothing else: tables, pictures, and how it was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from stream_rec.evaluation import plots
from stream_rec.evaluation.against import COSTS, describe_differences
from stream_rec.evaluation.baselines.choice import describe_settings
from stream_rec.evaluation.changes import describe
from stream_rec.evaluation.contenders import CONTROL, ENGINE, is_baseline
from stream_rec.evaluation.evaluation import EVERYTHING
from stream_rec.evaluation.losses import find_losses
from stream_rec.evaluation.tables import (
    COST,
    FRONTIER,
    LIKENESS,
    list_accuracy,
    render_cell,
    render_changes,
    render_slice_table,
    render_table,
)

CSS = """
:root { color-scheme: light }
body { margin: 0 auto; max-width: 1040px; padding: 40px 32px 80px; background: #fff; color: #1c2430;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
h1 { font-size: 27px; letter-spacing: -.015em; margin: 0 0 6px; line-height: 1.2 }
h2 { font-size: 18px; letter-spacing: -.01em; margin: 48px 0 6px; padding-top: 18px; border-top: 1px solid #e6e8eb }
p { margin: 4px 0 14px; max-width: 76ch } .note { color: #59626e; font-size: 14px }
.key { display: flex; flex-wrap: wrap; gap: 12px; margin: 22px 0 26px }
.key div { flex: 1 1 140px; border: 1px solid #e6e8eb; border-radius: 8px; padding: 12px 16px }
.key b { display: block; font-size: 23px; letter-spacing: -.02em; font-variant-numeric: tabular-nums }
.key span { color: #59626e; font-size: 13px; display: block; line-height: 1.35 }
.wide { overflow-x: auto }
svg { display: block; width: 100%; min-width: 620px; height: auto; margin: 6px 0 10px }
.pair { display: flex; flex-wrap: wrap; gap: 4px 28px } .pair > div { flex: 1 1 310px } .pair svg { min-width: 0 }
svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif !important }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums }
th { text-align: right; font-weight: 600; color: #59626e; border-bottom: 1.5px solid #c9ced4; padding: 6px 6px;
  vertical-align: bottom; white-space: nowrap }
td { text-align: right; padding: 6px 6px; border-bottom: 1px solid #eef0f2; white-space: nowrap }
th:first-child, td:first-child { text-align: left; padding-left: 10px }
td small { color: #59626e } tr.ours td { background: #eaf4fa }
tr.ours td:first-child { color: #0072b2; font-weight: 700 }
th.group { text-align: center; border-bottom: 1px solid #e6e8eb; padding-bottom: 2px }
td.best { font-weight: 700 } td.best small { font-weight: 400 }
.failed { color: #a4330b }
details { margin: 12px 0 } summary { cursor: pointer; color: #0072b2 }
pre { background: #f6f7f9; border-radius: 8px; padding: 14px 16px; font-size: 12.5px; line-height: 1.45;
  overflow-x: auto }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 22px; font-size: 14px } dt { color: #59626e }
dd { margin: 0; font-variant-numeric: tabular-nums }
@media print { h2 { break-after: avoid } svg { min-width: 0 } svg, table { break-inside: avoid } }
"""


def render_page(said: Mapping[str, Any]) -> str:
    """Return the HTML of what ``stream-rec evaluate`` says. The same evaluation gives the same page."""
    protocol = said["protocol"]
    done = {name: result for name, result in said["results"].items() if "error" not in result}
    done = dict(sorted(done.items(), key=lambda one: -one[1]["ndcg"]))
    failed = {name: result["error"] for name, result in said["results"].items() if "error" in result}
    parts = [f"<h1>How good are the lists?</h1>{_introduce(protocol)}"]
    if failed:
        parts.append(
            "".join(f'<p class="failed">{escape(name)} failed: {escape(why)}</p>' for name, why in failed.items())
        )
    if done:
        parts += _show_measured(said, done)
    parts += ["<h2>Protocol</h2>", _show_protocol(protocol), "<h2>Settings</h2>", _show_settings(said["settings"])]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>stream-rec evaluate</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{CSS}</style></head><body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def _introduce(protocol: Mapping[str, Any]) -> str:
    return (
        f"<p>{escape(protocol['events'])}: {protocol['n_scored_events']:,} of {protocol['n_events']:,} events by "
        f"{protocol['n_users']:,} users, {protocol['n_items_listed']:,} items. Before each event a list of "
        f"{protocol['list_size']} was made of what was known until then; then the event was looked up in it, and only "
        f"then learned from. Items are read by {escape(protocol['encoder'] or 'no encoder')}.</p>"
    )


def _show_measured(said: Mapping[str, Any], done: dict[str, Any]) -> list[str]:
    """Return the sections that need at least one method that ran to its end."""
    n, first = said["protocol"]["list_size"], next(iter(done.values()))
    parts = [_show_key_numbers(said)] if ENGINE in done else []
    parts += [
        "<h2>Accuracy</h2>",
        f'<p class="note">Means over events. hit_rate: the item was in the list of {n}. '
        "ndcg: 1 / log<sub>2</sub>(rank + 1). mrr: 1 / rank. Between the bounds the mean lies in 95 of 100 resamples "
        "of the users. Half 1, half 2: ndcg of the first and of the second half of the scored events.</p>",
        plots.plot_ranking(done),
        render_table(done, list_accuracy(n)),
        *_show_choices(done),
        *_show_against(said),
        "<h2>Over time</h2>",
        '<p class="note">Each point is the mean over the last 5 % of the scored events. Baselines without a colour are '
        "grey.</p>",
        plots.plot_over_time(done),
        "<h2>Who gains: parts of the events</h2>",
        '<p class="note">Below each part its share of the scored events. What a user or item had is counted before the '
        "event.</p>",
        plots.plot_slices(done, first["slices"]),
        render_slice_table(done),
        *_show_losses(said["results"]),
        *_show_text(said, done),
        *_show_candidates(done),
        "<h2>Cold start</h2>",
        plots.plot_cold_start(done),
        "<h2>Cost</h2>",
        '<p class="note">Each method ran in a process of its own. Peak memory counts the interpreter and the log, '
        "which all have. Milliseconds of a list and of learning an event are means, with median and 99th percentile."
        "</p>",
        plots.plot_cost(done),
        render_table(done, COST),
        "<h2>What the lists are like</h2>",
        '<p class="note">Coverage: share of the items shown at least once. Gini: 0 where all items are shown equally '
        "often, near 1 where a few take all. Similarity: mean cosine of two items of a list. Novelty: mean "
        "-log<sub>2</sub> of the share of events that an item had. Calibration: KL divergence of a user's past "
        "from the list, by category or tags; 0 is the same mixture.</p>",
        render_table(done, LIKENESS),
        *_show_frontier(said, done),
    ]
    return parts


def _show_choices(done: Mapping[str, Any]) -> list[str]:
    """Return what baselines chose, if there are any."""
    chosen = {name: result for name, result in done.items() if result["chosen"]}
    if not chosen:
        return []
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{result['chosen']['n_trials']}</td>"
        f"<td>{render_cell(result['chosen']['warm_up_ndcg'], '.4f')}</td>"
        f"<td>{render_cell(result['cost']['choosing_s'], '.1f')}</td>"
        '<td style="text-align:left;white-space:normal">'
        f"{escape(describe_settings(result['chosen']['settings']))}</td></tr>"
        for name, result in chosen.items()
    )
    return [
        '<p class="note">Each baseline chose its settings on the events that only teach: it learned the first half of '
        "them with each of a few settings, and was scored on the second half; then it learned all of them with the "
        "best. "
        f"{ENGINE} has the same settings on every log.</p>",
        "<details><summary>Settings that were chosen</summary>"
        '<div class="wide"><table><tr><th>method</th><th>trials</th><th>ndcg there</th><th>seconds</th>'
        f'<th style="text-align:left">settings</th></tr>{rows}</table></div></details>',
    ]


def _show_losses(results: Mapping[str, Any]) -> list[str]:
    """Return where a baseline is better than the engine, if the engine ran and there was anything to compare with."""
    if "error" in results.get(ENGINE, {"error": ""}) or not any(map(is_baseline, results)):
        return []
    rows = "".join(
        f"<tr><td>{escape(one.part)}</td><td>{one.n:,}</td><td>{one.metric}</td><td>{one.ours:.4f}</td>"
        f"<td>{one.theirs:.4f}</td><td>{escape(one.baseline)}</td><td>{one.n_better}</td></tr>"
        for one in find_losses(results)
    )
    return [
        '<details open><summary>Where a baseline is better</summary><div class="wide"><table><tr><th>part</th>'
        f"<th>events</th><th>measure</th><th>{ENGINE}</th><th>best baseline</th><th>which</th><th>better ones</th></tr>"
        f"{rows}</table></div></details>"
        if rows
        else '<p class="note">No baseline is better in any part.</p>'
    ]


def _show_text(said: Mapping[str, Any], done: Mapping[str, Any]) -> list[str]:
    """Return the section on what the encoder brings, if there was a control to compare it with."""
    text, n = said.get("text"), said["protocol"]["list_size"]
    if not text:
        return []
    parts = text["parts"]
    return [
        "<h2>What text brings</h2>",
        f'<p class="note">{CONTROL} is the same engine, over the same events, in which each text has a random vector: '
        f"what it lacks is what {escape(said['protocol']['encoder'])} understands. Where both are level, text brings "
        "nothing there, or what it brings is known from events already. Candidate recall is the share of events whose "
        "item was among the candidates: text can help in finding an item, in ranking it, or in both. Intervals are by "
        "500 resamples of the users; a change whose interval leaves out 0 is bold. One in twenty intervals is wrong by "
        "chance, so believe a pattern rather than a single part.</p>",
        f'<div class="pair">{plots.plot_item_events(done)}{plots.plot_changes(parts)}</div>',
        render_changes({name: parts[name] for name in plots.OF_TEXT if name in parts}, n, ("random", "encoder")),
        "<details><summary>All parts</summary>" + render_changes(parts, n, ("random", "encoder")) + "</details>",
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
        f"<h2>Against {escape(against['file'])}</h2>",
        f'<p class="note">{ENGINE} over the same events, before and after. What differs: '
        f"{escape(describe_differences(against))}. Milliseconds: {escape(costs)}. Intervals are by 500 "
        "resamples of the users; a change whose interval leaves out 0 is bold.</p>",
        render_changes(against["parts"], said["protocol"]["list_size"], ("before", "after")),
    ]


def _show_candidates(done: Mapping[str, Any]) -> list[str]:
    """Return the section on what lists are made from, if the engine was observed."""
    result = done.get(ENGINE, {})
    if "candidates" not in result:
        return []
    made = result["candidates"]
    sources = list(made["sources"])
    head = "".join(f"<th>{escape(name)}</th>" for name in sources)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{of['n']:,}</td><td>{of['recall']:.1%}</td>"
        + "".join(
            f"<td>{of['sources'][source]['covers']:.1%} <small>{of['sources'][source]['only']:.1%}</small></td>"
            for source in sources
        )
        + "</tr>"
        for name, of in made["slices"].items()
        if of["n"]
    )
    return [
        "<h2>Candidates: what could have been in a list</h2>",
        f'<p class="note">A list is made from {made["per_list"]["mean"]:.0f} candidates on average '
        f"(median {made['per_list']['p50']:.0f}, 99th percentile {made['per_list']['p99']:.0f}), the union of what all "
        f"sources propose. Recall is the share of events whose item was among them: {made['recall']:.1%}. An event "
        "that only one source proposed would be lost without that source.</p>",
        plots.plot_candidates(result),
        "<details><summary>Sources by part of the events: what each proposed, and what it alone proposed in small"
        f'</summary><div class="wide"><table><tr><th>part</th><th>events</th><th>recall</th>{head}</tr>{rows}</table>'
        "</div></details>",
    ]


def _show_frontier(said: Mapping[str, Any], done: Mapping[str, Any]) -> list[str]:
    """Return the section on diversity, if the engine was observed."""
    points = done.get(ENGINE, {}).get("frontier")
    if not points:
        return []
    used, plain = said["settings"]["ranking"]["diversity"], points[0]["ndcg"]
    head = "".join(f"<th>{title}</th>" for title, *_ in FRONTIER)
    rows = "".join(
        f"<tr{' class=ours' if point['diversity'] == used else ''}><td>{point['diversity']:g}"
        f"{', in use' if point['diversity'] == used else ''}</td>"
        + "".join(f"<td>{render_cell(of(point, plain), form)}</td>" for _, of, form in FRONTIER)
        + "</tr>"
        for point in points
    )
    return [
        "<h2>What variety costs</h2>",
        f'<p class="note">One knob, <code>ranking.diversity</code>. For {points[0]["n_lists"]:,} of the scored groups, '
        "evenly spread, the list was made at each setting from the same candidates and scores, and looked up like the "
        "one shown; without exploration and without the slot for what no list has shown. Bars: 95 % confidence of the "
        "change of NDCG over users; beyond 1 % its axis is logarithmic. Coverage is that of these lists alone.</p>",
        plots.plot_frontier(points, used) if plain > 0 else "",
        f'<div class="wide"><table><tr><th>diversity</th>{head}</tr>{rows}</table></div>',
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
    return '<div class="key">' + "".join(f"<div><b>{b}</b><span>{escape(s)}</span></div>" for b, s in boxes) + "</div>"


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
    return f"<details><summary>Those that lists depend on</summary><pre>{text}</pre></details>"


def _format_day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")
