// Items by words and by meaning.

import { ask, path } from "./api.js";
import { apart, empty, field, fill, h, input, num, table, trouble } from "./dom.js";
import { decimal, plural } from "./format.js";
import { itemHref, itemLink } from "./parts.js";

export function showSearch({ heading, body, signal, query }) {
  fill(heading, "Items");
  const text = input({ name: "q", type: "search", required: true, value: query.get("q") ?? "" });
  const found = h("div", { "aria-live": "polite" });
  const form = h("form", { class: "row", role: "search" }, field("Words, a meaning, or an id", text), h("button", { class: "main" }, "Search"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = `#/items?q=${encodeURIComponent(text.value)}`;
  });
  fill(body, h("div", { class: "card" }, form, found));
  const asked = query.get("q");
  if (!asked) {
    fill(found, empty("Ask as a user would: “warm lamp for a small room”. What others chose after such a search counts, too."));
    return;
  }
  fill(heading, "Items for ", apart(`“${asked}”`));
  ask("GET", `${path("search")}?n=50&q=${encodeURIComponent(asked)}`, { signal }).then(({ answers, item_id }) => {
    fill(found, item_id ? h("p", {}, "There is an item with this id: ", h("a", { href: itemHref(item_id) }, apart(item_id)), ".") : null,
      answers.length ? [h("p", { class: "quiet" },
        `${plural(answers.length, "item")}, best first. Words: as against the best of the list. Meaning: cosine of the texts. `
        + "The score is what a user of whom nothing is known would most likely choose."), foundTable(answers)]
        : empty("Nothing answers that: no word of it is in an item, and no text is near it."));
  }).catch((error) => signal.aborted || fill(found, trouble(error.message)));
}

const foundTable = (answers) => table("Found items", [{ text: "#", class: "num" }, "Item", { text: "Words", class: "num" },
  { text: "Meaning", class: "num" }, { text: "Score", class: "num" }], answers.map(({ listed, words, meaning }, slot) => h("tr", {},
  num(slot + 1), h("td", {}, itemLink(listed.item), listed.rule ? h("div", { class: "quiet" }, "placed by rule ", apart(listed.rule)) : null),
  num(decimal(words, 2)), num(decimal(meaning, 2)), num(decimal(listed.score)))), { class: "list" });
