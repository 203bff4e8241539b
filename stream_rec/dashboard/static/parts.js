// What several views show: items, lists, two lists against each other.

import { apart, h, num, table } from "./dom.js";
import { decimal, plural } from "./format.js";

export const itemHref = (itemId) => `#/items/${encodeURIComponent(itemId)}`;
export const userHref = (userId) => `#/users/${encodeURIComponent(userId)}`;

export function itemLink(item) {
  const more = [item.title === item.item_id ? null : apart(item.item_id, "id"),
    item.category ? apart(item.category) : null].filter(Boolean);
  return h("div", { class: "item" },
    h("a", { href: itemHref(item.item_id) }, apart(item.title)),
    item.is_listed ? null : h("span", { class: "tag" }, "not listed"),
    more.length ? h("div", { class: "quiet" }, more.flatMap((each, n) => (n ? [" · ", each] : [each]))) : null);
}

const reason = (listed) => [apart(listed.why),
  listed.rule ? h("div", { class: "quiet" }, "placed by rule ",
    h("a", { href: `#/rules/${encodeURIComponent(listed.rule)}` }, apart(listed.rule))) : null];

export function listTable(label, items) {
  return table(label,
    [{ text: "#", class: "num" }, "Item", "Why", { text: "Score", class: "num wide" }],
    items.map((each, slot) => h("tr", {}, num(slot + 1), h("td", {}, itemLink(each.item)),
      h("td", {}, reason(each)), num(decimal(each.score), { class: "wide" }))), { class: "list" });
}

function change(row) {
  if (row.before === null) return h("span", { class: "came" }, "comes");
  if (row.after === null) return h("span", { class: "left" }, "leaves");
  const by = row.before - row.after;
  if (by === 0) return h("span", { class: "quiet" }, "stays");
  return h("span", { class: by > 0 ? "came" : "left" },
    h("span", { "aria-hidden": "true" }, by > 0 ? "▲ " : "▼ "),
    h("span", { class: "unseen" }, by > 0 ? "up " : "down "), Math.abs(by));
}

// What left stands behind a fold: the list as it is now is what most ask for.
export function comparisonTable(label, comparison, before = "Before", after = "After") {
  const rows = comparison.rows.map((row) => h("tr", { class: row.after === null ? "gone" : null },
    num(row.after ?? "–"), num(row.before ?? "–", { class: "wide" }), h("td", {}, change(row)),
    h("td", {}, itemLink(row.listed.item)), h("td", { class: "wide" }, reason(row.listed))));
  const heads = [{ text: after, class: "num" }, { text: before, class: "num wide" }, "Change", "Item",
    { text: "Why", class: "wide" }];
  const n_left = comparison.n_left;
  const [stay, leave] = [rows.slice(0, rows.length - n_left), rows.slice(rows.length - n_left)];
  return [table(label, heads, stay, { class: "list" }),
    n_left ? h("details", {}, h("summary", {}, `${plural(n_left, "item")} that ${n_left === 1 ? "leaves" : "leave"}`),
      table(`${label}: what leaves`, heads, leave, { class: "list" })) : null];
}

export function comparisonSentence(comparison) {
  const { n_came, n_left, n_reordered } = comparison;
  if (!n_came && !n_left && !n_reordered) return "Nothing: both lists are the same.";
  return `${plural(n_came, "item")} ${n_came === 1 ? "comes" : "come"}, ${count(n_left)} ${
    n_left === 1 ? "leaves" : "leave"}, ${count(n_reordered)} ${
    n_reordered === 1 ? "stands" : "stand"} elsewhere in the list.`;
}

const count = (n) => (n === 0 ? "none" : String(n));
