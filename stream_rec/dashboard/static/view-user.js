// Users: who they are, what they did, their list, what the last event changed, and what would change it.

import { ask, askUntilReady, path } from "./api.js";
import { apart, columns, empty, field, fill, h, input, num, select, table, trouble } from "./dom.js";
import { count, plural, when } from "./format.js";
import { comparisonSentence, comparisonTable, itemLink, listTable, userHref } from "./parts.js";
import { RuleForm } from "./rule-form.js";

const AGAIN_MS = 3000;
const DID = { view: "viewed", click: "clicked", purchase: "bought", search: "searched" };

export function showUsers({ heading, body, signal, about }) {
  fill(heading, "Users");
  const id = input({ name: "user", type: "search", required: true });
  const found = h("div", {});
  const form = h("form", { class: "row", role: "search" }, field("User id", id), h("button", { class: "main" }, "Show"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (id.value) location.hash = userHref(id.value);
  });
  let last = 0;
  async function look() {
    const mine = ++last;
    try {
      const { user_ids, n_kept } = await ask("GET", `${path("users")}?prefix=${encodeURIComponent(id.value)}`, { signal });
      if (mine !== last) return;
      fill(found, h("h2", {}, id.value ? "Ids that begin so" : "Whose lists changed last"), user_ids.length
        ? h("ul", { class: "links" }, user_ids.map((each) => h("li", {}, h("a", { href: userHref(each) }, apart(each)))))
        : empty(n_kept ? "None of those whose lists are kept here. Another id can be shown all the same."
          : "No user has a list yet. Send events: see docs/tutorial.md."),
      h("p", { class: "quiet" }, `${plural(n_kept, "list")} of users kept, at most ${count(about.kept_lists)}: those that changed last.`));
    } catch (error) {
      if (!signal.aborted) fill(found, trouble(error.message));
    }
  }
  id.addEventListener("input", look);
  fill(body, h("div", { class: "card" }, form, found));
  look();
}

export function showUser({ heading, body, signal, about }, userId) {
  fill(heading, "User ", apart(userId));
  const status = h("p", { class: "quiet", role: "status" });
  const shown = h("div", {});
  fill(body, status, shown);
  const address = path("users", userId);
  let was = "";
  let parts = null;
  async function load() {
    try {
      const user = await askUntilReady(address, signal, (why) => fill(status, why));
      const key = JSON.stringify([user.published?.list_id, user.history[0], user.on_the_spot.map((each) => each.item.item_id)]);
      fill(status, "");
      parts ??= frame(shown, userId, signal, about);
      if (key !== was) {
        was = key;
        put(parts, user);
      }
    } catch (error) {
      if (signal.aborted) return;
      parts = null;
      was = "";
      fill(status, "");
      fill(shown, trouble(error.message), h("p", {}, "Go back to ", h("a", { href: "#/users" }, "all users"), "."));
    }
  }
  load();
  const timer = setInterval(() => document.hidden || load(), AGAIN_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}

function frame(shown, userId, signal, about) {
  const parts = { facts: h("p", { class: "facts-line" }), list: h("section", { class: "card" }),
    change: h("section", { class: "card" }), history: h("section", { class: "card" }) };
  fill(shown, parts.facts, columns([parts.list, parts.history], [whatIf(userId, signal, about), parts.change]));
  return parts;
}

function put(parts, user) {
  const { view, click, purchase } = user.counts;
  const said = user.profile ? [` Says of themselves: ${[user.profile.interests.join(", "), user.profile.language,
    user.profile.birth_year ? `born ${user.profile.birth_year}` : ""].filter(Boolean).join("; ") || "nothing"}.`] : [];
  fill(parts.facts, `${plural(view, "view")}, ${plural(click, "click")}, ${plural(purchase, "purchase")}`,
    user.first_ms === null ? "" : ` since ${when(user.first_ms)}`, ".",
    user.n_impressions ? ` ${plural(user.n_impressions, "impression")} remembered.` : "", said.map((each) => apart(each)));
  const made = user.published;
  fill(parts.list, h("h2", {}, "List now"), made
    ? [h("p", { class: "quiet" }, `Made ${when(made.generated_at_ms)}`,
      made.as_of_topic ? `, on an event of ${made.as_of_topic} of ${when(made.as_of_ms)}` : "", "."),
    made.items.length ? listTable("List now", made.items) : empty("It is empty: is there an item that may be shown?")]
    : [h("p", { class: "quiet" }, "No list of theirs is kept here. Ranked on the spot it would be:"),
      user.on_the_spot.length ? listTable("List on the spot", user.on_the_spot) : empty("Empty: is there an item that may be shown?")]);
  fill(parts.change, h("h2", {}, "What the last event changed"), user.change
    ? [h("p", {}, did(user.changed_by), comparisonSentence(user.change)), comparisonTable("What the last event changed", user.change)]
    : empty("The list of before is not known: it is kept from the first list on that comes while the dashboard runs."));
  fill(parts.history, h("h2", {}, "History"), user.history.length
    ? table("History", ["When", "What", "Item or query", { text: "Value", class: "num wide" }], user.history.map((each) => h("tr", {},
      h("td", { class: "time" }, when(each.at_ms)), h("td", {}, DID[each.kind] ?? each.kind),
      h("td", {}, each.query ? apart(`“${each.query}”`) : null, each.item ? itemLink(each.item) : null),
      num(each.value ?? "", { class: "wide" }))))
    : empty("Nothing that this user did is remembered."));
}

const did = (event) => (!event ? "After the last event: " : event.query
  ? ["After the search ", apart(`“${event.query}”`), ": "] : ["After ", event.kind === "purchase" ? "the purchase" : `the ${event.kind}`,
    " of ", apart(event.item?.title ?? "an item"), ": "]);

export function whatIf(userId, signal, about) {
  const query = input({ name: "query", maxlength: "1000" });
  const item = input({ name: "item" });
  const kind = select([["view", "views"], ["click", "clicks"], ["purchase", "buys"]], { name: "kind" });
  kind.value = "click";
  const context = input({ name: "context" });
  const rule = new RuleForm({ named: false });
  const answer = h("div", { "aria-live": "polite" });
  const form = h("form", {}, h("div", { class: "fields" },
    field("Searches for", query), field("Item (id)", item, "With a search: like this item, but …"),
    field("Does with the item", kind), field("In a context", context, `key:value, several with commas. Keys: ${about.context_keys.split(",").join(", ")}`)),
  h("details", {}, h("summary", {}, "with a rule, for this question alone"), rule.element),
  h("button", { class: "main" }, "See what would change"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const asked = {};
      if (query.value.trim()) asked.query = query.value;
      if (item.value) Object.assign(asked, { item_id: item.value, event_type: kind.value });
      if (context.value.trim()) asked.context = readContext(context.value);
      const read = rule.read();
      if (read) asked.rule = read;
      if (!Object.keys(asked).length) throw new Error("Say what is to be tried: a search, an item, a context or a rule.");
      const { comparison, waits } = await ask("POST", path("users", userId, "what-if"), { body: asked, signal });
      fill(answer, waits ? h("p", { class: "banner warn" }, "There is no room for the rule: it would wait until others have ended.") : null,
        h("p", {}, "Would change: ", comparisonSentence(comparison)), comparisonTable("What would change", comparison, "Now", "Then"));
    } catch (error) {
      if (!signal.aborted) fill(answer, trouble(error.message));
    }
  });
  return h("section", { class: "card" }, h("h2", {}, "What if"),
    h("p", { class: "quiet" }, "Imagine what this user does next. It is ranked for this question alone: nothing is kept of it, and nobody's list changes."), form, answer);
}

function readContext(text) {
  const pairs = text.split(",").map((each) => each.trim()).filter(Boolean).map((each) => {
    const at = each.indexOf(":");
    if (at < 1) throw new Error(`A context is key:value, as device:phone; came “${each}”.`);
    return [each.slice(0, at).trim(), each.slice(at + 1).trim()];
  });
  return Object.fromEntries(pairs);
}
