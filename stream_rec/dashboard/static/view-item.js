// One item: what it is, what is near it, how popular it is, where it is shown.

import { askUntilReady, path } from "./api.js";
import { apart, columns, empty, fill, h, num, table, trouble } from "./dom.js";
import { count, decimal, half, plural, share, when } from "./format.js";
import { itemLink, userHref } from "./parts.js";
import { ruleRow, RULE_HEADS } from "./rule-form.js";

export function showItem({ heading, body, signal }, itemId) {
  fill(heading, "Item ", apart(itemId));
  const status = h("p", { class: "quiet", role: "status" });
  const shown = h("div", {});
  fill(body, status, shown);
  askUntilReady(path("items", itemId), signal, (why) => fill(status, why)).then((page) => {
    fill(status, "");
    fill(heading, apart(page.item.title));
    document.title = `${page.item.title} · stream-rec`;
    fill(shown, put(page));
  }).catch((error) => {
    if (signal.aborted) return;
    fill(status, "");
    fill(shown, trouble(error.message), h("p", {}, "Go to the ", h("a", { href: "#/items" }, "search"), "."));
  });
}

const card = (title, note, ...content) =>
  h("section", { class: "card" }, h("h2", {}, title), note ? h("p", { class: "quiet" }, note) : null, content);

const near = (label, head, items, format) => table(label, ["Item", { text: head, class: "num" }],
  items.map((each) => h("tr", {}, h("td", {}, itemLink(each.item)), num(format(each.amount)))));

function put(page) {
  return [
    page.why_not_listed ? h("p", { class: "banner warn" }, "In no list: ", apart(page.why_not_listed), ".") : null,
    columns([whatItIs(page), whereShown(page), popularity(page), predecessors(page)],
      [...texts(page), successors(page), ...related(page)]),
    h("section", { class: "card" }, h("h2", {}, "Rules about it"), page.rules.length
      ? table("Rules about it", RULE_HEADS, page.rules.map((each) => ruleRow(each)))
      : empty("No rule is about it. ", h("a", { href: "#/rules" }, "Put one"), ".")),
  ];
}

function whatItIs(page) {
  const { item, counts } = page;
  const facts = [["Id", apart(item.item_id, "id")], item.category ? ["Category", apart(item.category)] : null,
    page.tags.length ? ["Tags", page.tags.flatMap((each, n) => (n ? [", ", apart(each)] : [apart(each)]))] : null,
    ...Object.entries(page.attributes).map(([name, value]) => [apart(name), apart(value)]),
    page.boost === 1 ? null : ["Boost", `${page.boost} times`],
    ["Events", `${plural(counts.view, "view")}, ${plural(counts.click, "click")}, ${plural(counts.purchase, "purchase")}; ${
      plural(page.repeats, "time")} by who had it before`],
    page.first_ms ? ["First, last", [when(page.first_ms), " to ", when(page.last_ms)]] : null].filter(Boolean);
  return card("What it is", null, page.description ? h("p", {}, apart(page.description)) : null,
    h("dl", { class: "pairs" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
}

function whereShown(page) {
  if (!page.n_kept_lists) return card("Where it is shown", null, empty("No user has a list yet."));
  const of = `${plural(page.n_kept_lists, "list")} that ${page.n_kept_lists === 1 ? "is" : "are"} kept here`;
  return card("Where it is shown", null,
    h("p", {}, h("b", { class: "num" }, count(page.n_lists)), ` of ${of} (${share(page.n_lists / page.n_kept_lists)}).`),
    page.users.length ? [h("p", { class: "quiet" }, "Among them, those that changed last:"), h("ul", { class: "links" },
      page.users.map((each) => h("li", {}, h("a", { href: userHref(each) }, apart(each)))))] : null);
}

const popularity = (page) => card("Popularity", "Events that count half after so long.",
  table("Popularity", ["Half-life", { text: "Events by now", class: "num" }, { text: "Rank", class: "num" }],
    page.popularity.map((each) => h("tr", {}, h("th", { scope: "row" }, half(each.half_life_h)),
      num(decimal(each.events, 2)), num(each.rank === null ? "–" : count(each.rank))))));

const texts = (page) => (page.spaces.length ? page.spaces.map((space) => card("Near in text", space.encoder,
  space.items.length ? near(`Near in text, ${space.encoder}`, "Cosine", space.items, decimal)
    : empty("It has no vector in this space yet.")))
  : [card("Near in text", null, empty("No item has a vector: does an embedder run?"))]);

const successors = (page) => card("Users went on to", "Share of all who went on from here.", page.successors.length
  ? near("Users went on to", "Share", page.successors, share) : empty("Nobody has gone on from here yet."));

const predecessors = (page) => card("Users came from", "Share of all who came here from another item.",
  page.predecessors.length ? near("Users came from", "Share", page.predecessors, share)
    : empty("Nobody has come here from another item yet."));

const related = (page) => page.relations.map((each) => card("Related", each.kind,
  h("ul", { class: "links" }, each.items.map((one) => h("li", {}, itemLink(one))))));
