// Rules: what the owner will have, what became of it, and an editor.

import { ask, askUntilReady, path } from "./api.js";
import { apart, empty, field, fill, h, input, table, trouble } from "./dom.js";
import { plural, when } from "./format.js";
import { comparisonSentence, comparisonTable } from "./parts.js";
import { RuleForm, ruleRow, RULE_HEADS } from "./rule-form.js";

const MOST_SHOWN = 200;
const KINDS = { put: "good", ended: "off", refused: "bad" };

export function showRules({ heading, body, signal, about }, chosen) {
  fill(heading, "Rules");
  const status = h("p", { class: "quiet", role: "status" });
  const filter = input({ type: "search", name: "filter", value: chosen ?? "" });
  const all = h("div", {});
  const log = h("section", { class: "card broad" });
  let page = null;
  const editor = edit(signal, about, () => { setTimeout(load, 1200); setTimeout(load, 3000); });
  fill(body, status, h("div", { class: "cards" },
    h("section", { class: "card broad" }, h("div", { class: "row" }, h("h2", {}, "What holds"), field("Filter", filter)), all),
    editor.element, log));
  filter.addEventListener("input", () => page && putRules());

  function putRules() {
    const { rules, n_most, n_most_floors } = page.states;
    const wanted = filter.value.toLowerCase();
    const found = rules.filter((each) => JSON.stringify([each.rule, each.state, each.effect]).toLowerCase().includes(wanted));
    fill(all, rules.length === 0 ? empty("No rule is in force: lists are what users make of them. Put one below.")
      : found.length === 0 ? empty("No rule has that in it.")
        : table("All rules", [...RULE_HEADS, { text: h("span", { class: "unseen" }, "Change it") }], found.slice(0, MOST_SHOWN).map((each) =>
          ruleRow(each, h("td", {}, h("div", { class: "buttons" },
            h("button", { type: "button", onclick: () => editor.put(each.rule) }, "Edit", h("span", { class: "unseen" }, ` ${each.rule.rule_id}`)),
            about.may_write ? ender(each.rule.rule_id) : null)))), { class: "stacked" }),
    h("p", { class: "quiet" }, `${plural(rules.length, "rule")}${found.length > MOST_SHOWN ? `, ${MOST_SHOWN} shown` : ""}. At most ${n_most} are obeyed, ${
      n_most_floors} floors and exposes among them. The events' clock is at ${when(page.states.now_ms)}.`));
  }

  function ender(ruleId) {
    const button = h("button", { type: "button" }, "End", h("span", { class: "unseen" }, ` ${ruleId}`));
    let isSure = false;
    button.addEventListener("click", async () => {
      if (!isSure) {
        isSure = true;
        fill(button, "Really end");
        button.classList.add("danger");
        return;
      }
      try {
        await ask("DELETE", path("rules", ruleId), { signal });
        fill(status, `Rule ${ruleId} ends: lists are made without it within a second or two.`);
        setTimeout(load, 1200);
      } catch (error) {
        if (!signal.aborted) fill(status, error.message);
      }
    });
    return button;
  }

  async function load() {
    try {
      page = await askUntilReady(path("rules"), signal, (why) => fill(status, why));
      putRules();
      fill(log, h("h2", {}, "What became of rules"), page.changes.length
        ? table("What became of rules", ["What", "Rule", "By", "When"], page.changes.map((each) => h("tr", {},
          h("td", { class: "state" }, h("i", { class: `dot ${KINDS[each.what]}`, "aria-hidden": "true" }), each.what),
          h("td", {}, apart(each.rule_id), h("div", { class: "quiet" }, apart(each.text))), h("td", {}, apart(each.author)),
          h("td", { class: "time" }, when(each.at_ms)))))
        : empty("Nothing yet, as far as the topics remember."));
    } catch (error) {
      if (!signal.aborted) fill(all, trouble(error.message));
    }
  }
  load();
}

function edit(signal, about, sent) {
  const form = new RuleForm({ named: true });
  const user = input({ name: "user" });
  const answer = h("div", { "aria-live": "polite" });
  const send = h("button", { class: "main", type: "submit", disabled: !about.may_write }, "Put the rule");
  const preview = h("button", { type: "button" }, "Preview");
  const element = h("form", { class: "card broad", novalidate: true }, h("h2", {}, "Put a rule"),
    about.may_write ? null : h("p", { class: "banner warn" }, "Your key may look and preview, not put rules: that needs the scope admin."),
    form.element, h("div", { class: "fields one" }, field("Preview on the list of user", user, "Without one it says which items the rule is about.")),
    h("div", { class: "buttons" }, preview, send), answer);

  function read() {
    const rule = form.read();
    if (!rule) throw new Error("Choose what the rule does.");
    return rule;
  }

  preview.addEventListener("click", async () => {
    try {
      const rule = read();
      const said = await ask("POST", path("rules", "check"), { body: rule, signal });
      const waits = said.ousts.includes(rule.rule_id);
      const shown = [h("p", {}, "The rule: ", apart(said.effect), ", of ", apart(said.target), `. It is about ${plural(said.n_items, "item")} by now`,
        said.sample.length ? [", as ", said.sample.flatMap((each, n) => (n ? [", ", apart(each.title)] : [apart(each.title)]))] : null, ".",
        said.replaces ? " It replaces the rule with its id." : ""),
      waits ? h("p", { class: "banner warn" }, "There is no room for it: it would wait until others have ended.")
        : said.ousts.length ? h("p", { class: "banner warn" }, `There is then no room for ${said.ousts.join(", ")}.`) : null];
      if (user.value) {
        const { comparison } = await ask("POST", path("users", user.value, "what-if"), { body: { rule }, signal });
        shown.push(h("p", {}, "In the list of ", apart(user.value), ": ", comparisonSentence(comparison)),
          comparisonTable("What the rule would change", comparison, "Now", "Then"));
      }
      fill(answer, shown);
    } catch (error) {
      if (!signal.aborted) fill(answer, trouble(error.message));
    }
  });
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const rule = read();
      if (!rule.rule_id) throw new Error("The rule needs an id: a name of your own, as sale-autumn.");
      await ask("PUT", path("rules", rule.rule_id), { body: rule, signal });
      fill(answer, h("p", { class: "banner good" }, "Sent. Lists obey within a second or two."));
      sent();
    } catch (error) {
      if (!signal.aborted) fill(answer, trouble(error.message));
    }
  });
  return { element, put(rule) { form.put(rule); element.scrollIntoView({ block: "start" }); form.action.focus(); } };
}
