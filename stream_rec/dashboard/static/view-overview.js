// Overview: what the pipeline does now.

import { Chart } from "./charts.js";
import { apart, columns, empty, fill, h, num, table } from "./dom.js";
import { count, decimal, millis, NONE, plural, rate, share, span, tick, when } from "./format.js";
import { follow, live } from "./live.js";

const METHODS = { lists: "stream-rec's lists", popularity: "decayed popularity", own_items: "own items" };
const STATES = { ready: "good", starting: "warn", stopping: "warn", gone: "bad" };

const sum = (values) => Object.values(values).reduce((total, each) => total + each, 0);

const byMethod = (of) => Object.entries(METHODS).map(([method, label], n) => ({
  label, colour: `--series-${n + 1}`, className: `series-${n + 1}`, dash: n ? [5, 4] : undefined,
  of: (point) => point.judged[method]?.[of] ?? null }));

const charts = () => [
  new Chart({ title: "Events and lists", note: "a second, mean of 5 s", format: rate, tick, series: [
    { label: "events", colour: "--series-1", className: "series-1", of: (point) => events(point.rates) },
    { label: "lists", colour: "--series-2", className: "series-2", dash: [5, 4], of: (point) => point.lists }] }),
  new Chart({ title: "From event to list", note: "of the last 10 s", format: millis,
    series: ["p50", "p95", "p99"].map((name, n) => ({ label: name, colour: `--series-${n + 1}`,
      className: `series-${n + 1}`, dash: n ? [5, 4] : undefined, of: (point) => point.latency[name] })) }),
  new Chart({ title: "Hit rate @20", note: "of the last minute", format: (value) => decimal(value, 2), tick, series: byMethod("hit_rate") }),
  new Chart({ title: "NDCG @20", note: "of the last minute", format: (value) => decimal(value, 2), tick, series: byMethod("ndcg") }),
];

const TOPICS = ["views", "clicks", "purchases", "searches", "impressions", "profiles"];
const events = (rates) => TOPICS.reduce((total, topic) => total + (rates[topic] ?? 0), 0);

export function showOverview({ heading, body, signal }) {
  fill(heading, "Overview");
  const said = h("div", { class: "said" });
  const tiles = h("dl", { class: "tiles" });
  const plots = charts();
  const rest = h("div", {});
  fill(body, said, tiles, h("div", { class: "cards" }, plots.map((each) => each.element)), rest);
  plots.forEach((each) => each.begin(signal));
  let shown = "";
  follow(() => {
    const key = JSON.stringify([live.isOpen, live.why, live.troubles, live.now?.has_workers, live.now === null]);
    if (key !== shown) {
      shown = key;
      fill(said, sayTroubles());
    }
    if (!live.now) return;
    fill(tiles, showTiles());
    plots.forEach((each) => each.put(live.points));
    putCards(rest);
  }, signal);
}

function sayTroubles() {
  if (!live.isOpen) {
    const last = live.now ? ` What stands here is of ${when(live.now.at_ms)}.` : "";
    return h("p", { class: "banner bad", role: "status" },
      `Not connected: ${live.why}. Trying again by itself.${last}`);
  }
  const troubles = live.troubles.map((each) => h("p", { class: "banner warn", role: "status" }, each));
  const workers = live.now.processes.filter((each) => each.role === "worker");
  if (!live.now.has_workers) {
    troubles.push(h("p", { class: "banner warn", role: "status" }, workers.length
      ? "No worker has said anything for 10 seconds. Lists are not updated until one is back; this page sees it by itself."
      : "No worker has reported yet. Start one with `stream-rec worker`; telemetry.status_interval_s = 0 would keep it silent."));
  }
  return troubles;
}

const tile = (name, value, more) => h("div", { class: "tile" }, h("dt", {}, name),
  h("dd", {}, h("b", { class: "num" }, value), more ? h("span", { class: "quiet" }, more) : null));

function showTiles() {
  const { now, points } = live;
  const last = points.at(-1);
  const hits = last?.judged.lists;
  const lag = now.has_workers ? sum(now.lag) : null;
  const taken = TOPICS.reduce((total, topic) => total + (now.taken[topic] ?? 0), 0);
  const rejected = sum(now.rejected);
  return [
    tile("Events a second", last ? rate(events(last.rates)) : NONE, `${count(taken)} since the workers began`),
    tile("Waiting", count(lag), lag === null ? "no worker says" : lag === 0 ? "nothing is behind" : "records behind"),
    tile("Event to list, p50", millis(last?.latency.p50),
      last?.latency.n ? `p95 ${millis(last.latency.p95)}, p99 ${millis(last.latency.p99)}`
        : `none in 10 s; before: ${millis(now.latency.p50)}`),
    tile("Hit rate @20", decimal(hits?.hit_rate ?? now.judged.lists?.hit_rate),
      hits?.n ? `of ${plural(hits.n, "choice")} in a minute` : now.judged.lists?.n ? "since the workers began" : "no choice judged yet"),
    tile("Lists made", count(now.lists), `${count(now.users)} users watched`),
    tile("Rejected", count(rejected), rejected ? "see below why" : "no bad record"),
  ];
}

const card = (title, note, ...content) => h("section", { class: "card" },
  h("h2", {}, title), note ? h("p", { class: "quiet" }, note) : null, content);

// Tables that somebody scrolls or has the focus in are left alone.
function putCards(rest) {
  if (rest.contains(document.activeElement) && document.activeElement !== document.body) return;
  const { now } = live;
  const scrolled = [...rest.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  fill(rest, columns([quality(now), head(now)], [topics(now), catalog(now), rejections(now)]), processes(now));
  rest.querySelectorAll(".scroll").forEach((each, n) => { each.scrollLeft = scrolled[n] ?? 0; });
}

function quality(now) {
  const last = live.points.at(-1);
  const rows = Object.entries(METHODS).map(([method, label]) => {
    const minute = last?.judged[method] ?? {};
    const ever = now.judged[method] ?? {};
    return h("tr", {}, h("th", { scope: "row" }, label), num(decimal(minute.hit_rate)), num(decimal(minute.ndcg)),
      num(decimal(ever.hit_rate)), num(decimal(ever.ndcg)), num(count(ever.n ?? 0)));
  });
  return card("How good lists are",
    "Each choice of a user is looked for in the list of just before, and in what simpler methods would have shown.",
    now.judged.lists?.n ? null : empty("No choice has been judged yet: that begins with the first events of known items."),
    table("How good lists are", ["Method", { text: "HR, 1 min", class: "num" }, { text: "NDCG, 1 min", class: "num" },
      { text: "HR, all", class: "num" }, { text: "NDCG, all", class: "num" }, { text: "Choices", class: "num" }], rows));
}

function topics(now) {
  const last = live.points.at(-1);
  const names = [...new Set([...TOPICS.filter((each) => each in now.taken || each in now.lag),
    ...Object.keys(now.taken), ...Object.keys(now.lag)])];
  const isBusy = (topic) => now.taken[topic] || now.lag[topic];
  const idle = names.filter((topic) => !isBusy(topic));
  const rows = names.filter(isBusy).map((topic) => h("tr", {}, h("th", { scope: "row" }, topic), num(count(now.taken[topic] ?? 0), { "data-topic": topic }),
    num(rate(last?.rates[topic] ?? 0)), num(topic in now.lag ? count(now.lag[topic]) : NONE)));
  return card("Topics", "Records that the present processes have finished, and those that wait.",
    rows.length ? table("Topics", ["Topic", { text: "Taken", class: "num" }, { text: "A second", class: "num" },
      { text: "Waiting", class: "num" }], rows) : empty("No process has taken a record yet."),
    rows.length && idle.length ? h("p", { class: "quiet below" }, `Nothing yet on ${idle.join(", ")}.`) : null);
}

function head(now) {
  const { head: learned } = now;
  if (!learned) return card("What the head has learned", null, empty("No worker says anything of its head yet."));
  const most = Math.max(...learned.weights.map((each) => Math.abs(each.weight)), 1e-9);
  const rows = learned.weights.slice(0, 12).map((each) => h("tr", {}, h("th", { scope: "row", title: each.feature }, each.text),
    h("td", {}, h("meter", { class: each.weight < 0 ? "against" : "for", min: 0, max: most, value: Math.abs(each.weight),
      "aria-label": each.weight < 0 ? "speaks against" : "speaks for" })), num(decimal(each.weight, 2))));
  const experts = Object.entries(learned.experts).map(([name, weight]) => `${name.replaceAll("_", " ")} ${share(weight)}`).join(", ");
  const drift = learned.drifts ? `Choices changed ${plural(learned.drifts, "time")}, last at ${when(learned.drifted_ms)}: it learned faster for a while.`
    : "Choices have not been seen to change.";
  const actions = Object.entries(learned.actions).map(([name, factor]) => `${name} ${decimal(factor, 2)}`).join(", ");
  return card("What the head has learned", `From ${plural(learned.choices, "choice")}; mean loss of late ${decimal(learned.loss, 2)} nats. ${drift}`,
    experts ? h("p", { class: "quiet" }, `Who is believed: ${experts}.`) : null,
    actions ? h("p", { class: "quiet" }, `How much your own types teach, as times their kind: ${actions}.`) : null,
    rows.length ? table("Weights of the linear expert", ["What it sees of an item", { text: h("span", { class: "unseen" }, "For or against") }, { text: "Weight", class: "num" }], rows)
      : empty("It has learned nothing yet: that begins with the first choices."));
}

function catalog(now) {
  const unequal = now.gini < 0.3 ? "shown about equally often" : now.gini < 0.7 ? "some shown far more than others" : "few get most of the slots";
  const facts = [
    ["Items that may be shown", count(now.items), now.items ? `${count(now.embedded)} have vectors` : "put some on the topic items"],
    ["Ever in a list", count(now.shown_items), now.items ? `${share(now.coverage)} of the catalog` : ""],
    ["Inequality (Gini)", decimal(now.gini, 2), now.shown_items ? unequal : ""],
    ["Fresh items' slots", share(now.fresh_share), "with fewer than 5 events"],
    ["Choices learned from", count(now.learned), `${count(now.duplicates)} events came twice`],
    ["Users forgotten", count(now.forgotten), "on request"],
  ];
  return card("What lists show", "Since the present workers began.", h("dl", { class: "facts" }, facts.map(([name, value, more]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, h("b", { class: "num" }, value), " ", h("span", { class: "quiet" }, more))))));
}

function rejections(now) {
  const reasons = Object.entries(now.rejected).sort((one, two) => two[1] - one[1]);
  return card("Rejected records", null, reasons.length
    ? [table("Rejected records", ["Reason", { text: "Records", class: "num" }],
      reasons.map(([reason, n]) => h("tr", {}, h("th", { scope: "row" }, apart(reason)), num(count(n))))),
    h("p", { class: "quiet" }, "Read them with `stream-rec rejected list`.")]
    : empty("None since the present processes began."));
}

function processes(now) {
  const rows = now.processes.map((each) => h("tr", {},
    h("th", { scope: "row" }, `${each.role} `, apart(each.instance_id)),
    h("td", { class: "state" }, h("i", { class: `dot ${STATES[each.state] ?? "warn"}`, "aria-hidden": "true" }), each.state,
      each.why ? h("div", { class: "quiet" }, apart(each.why)) : null,
      each.state === "gone" ? h("div", { class: "quiet" }, `last heard ${span(each.quiet_s)} ago`) : null),
    num(count(each.partitions)), num(rate(each.requests_s)), num(each.rss_mb ? `${count(each.rss_mb)} MB` : NONE), num(share(each.cpu_share)),
    num(span(each.up_s)), h("td", {}, each.version)));
  return h("section", { class: "card broad" }, h("h2", {}, "Processes"),
    rows.length ? table("Processes", ["Process", "State", { text: "Partitions", class: "num" }, { text: "Requests a second", class: "num" },
      { text: "Memory", class: "num" }, { text: "CPU", class: "num" }, { text: "Up", class: "num" }, "Version"], rows)
      : empty("None has reported. Each process writes to the topic status once a second."));
}
