// A rule, in fields; and a rule as a row.

import { apart, field, fill, h, input, num, select } from "./dom.js";
import { count, when } from "./format.js";

const ACTIONS = [["", "choose"], ["ban", "ban: in no list"], ["exclude", "exclude: not for who has a relation to it"],
  ["cap", "cap: at most so many in a list"], ["pin", "pin: into a slot"], ["floor", "floor: at least so many in a list"],
  ["expose", "expose: a share of all slots"], ["boost", "boost: as if so many times likelier"]];
const RELATIONS = [["seen", "seen"], ["bought", "bought"], ["shown", "shown"], ["underage", "underage"]];
const NEEDS = { cap: ["count"], floor: ["count"], pin: ["slot"], expose: ["share"], boost: ["factor"], exclude: ["relation", "within_days", "min_age"] };
const NUMBERS = { slot: "Slot, from 1", count: "How many", factor: "Times likelier", share: "Share of slots, up to 0.5",
  within_days: "Within days (may be empty)", min_age: "Least age (of underage)" };
const STATES = { "in force": "good", "not begun": "warn", waits: "warn", over: "off" };

export const RULE_HEADS = ["State", "Rule", "What it does", { text: "Items", class: "num" }, "By and why", "Put"];

export function ruleRow(state, ...more) {
  const { rule } = state;
  return h("tr", { id: `rule-${rule.rule_id}` }, h("td", { class: "state" }, h("i", { class: `dot ${STATES[state.state]}`, "aria-hidden": "true" }), state.state),
    h("th", { scope: "row" }, h("a", { href: `#/rules/${encodeURIComponent(rule.rule_id)}` }, apart(rule.rule_id))),
    h("td", {}, apart(state.effect), h("div", { class: "quiet" }, apart(state.target))), num(count(state.n_items), { "data-label": "Items" }),
    h("td", {}, apart(rule.author), h("div", { class: "quiet" }, apart(rule.reason))), h("td", { class: "time" }, when(state.put_ms)), more);
}

export class RuleForm {
  constructor({ named }) {
    this.named = named;
    this.action = select(ACTIONS, { name: "action" });
    this.ruleId = input({ name: "rule_id" });
    this.author = input({ name: "author" });
    this.reason = input({ name: "reason" });
    this.itemIds = input({ name: "item_ids" });
    this.category = input({ name: "category" });
    this.tag = input({ name: "tag" });
    this.attribute = input({ name: "attribute" });
    this.relation = select(RELATIONS, { name: "relation" });
    this.starts = input({ type: "datetime-local", name: "starts" });
    this.ends = input({ type: "datetime-local", name: "ends" });
    this.more = h("textarea", { name: "more", rows: "2", spellcheck: "false" });
    this.numbers = Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, input({ inputmode: "decimal", name })]));
    this.own = h("div", { class: "fields" });
    this.action.addEventListener("change", () => this.showOwn());
    this.element = h("div", {}, h("div", { class: "fields" }, named ? field("Rule id", this.ruleId) : null, field("Does what", this.action)),
      this.own,
      h("fieldset", {}, h("legend", {}, "Which items: those that have all that is said"), h("div", { class: "fields" },
        field("Ids, one or several with commas", this.itemIds), field("Category", this.category), field("Tag", this.tag),
        field("Attribute, name:value", this.attribute))),
      h("div", { class: "fields" }, field("From (may be empty)", this.starts), field("Until (a boost needs it)", this.ends),
        named ? [field("Who is to be asked", this.author), field("Why", this.reason)] : null),
      h("details", {}, h("summary", {}, "More fields, as JSON"), field("JSON object", this.more,
        "What has no field here: scope, spares, whole_target, further attributes. As on the topic rules.")));
    this.showOwn();
  }

  showOwn() {
    const own = NEEDS[this.action.value] ?? [];
    fill(this.own, own.map((name) => (name === "relation" ? field("Who has", this.relation) : field(NUMBERS[name], this.numbers[name]))));
  }

  // Returns the rule, or null where nothing was chosen.
  read() {
    if (!this.action.value) return null;
    const rule = { rule_id: this.named ? this.ruleId.value : "what-if", action: this.action.value,
      author: this.named ? this.author.value : "what if", reason: this.named ? this.reason.value : "what if" };
    for (const name of NEEDS[rule.action] ?? []) {
      if (name === "relation") rule.relation = this.relation.value;
      else if (this.numbers[name].value.trim()) {
        const value = Number(this.numbers[name].value.replace(",", "."));
        if (Number.isNaN(value)) throw new Error(`${NUMBERS[name]}: “${this.numbers[name].value}” is no number.`);
        rule[name] = value;
      }
    }
    const target = {};
    const itemIds = this.itemIds.value.split(",").map((each) => each.trim()).filter(Boolean);
    if (itemIds.length) target.item_ids = itemIds;
    if (this.category.value) target.category = this.category.value;
    if (this.tag.value) target.tag = this.tag.value;
    if (this.attribute.value.trim()) {
      const at = this.attribute.value.indexOf(":");
      if (at < 1) throw new Error("An attribute is name:value, as brand:Acme.");
      target.attributes = { [this.attribute.value.slice(0, at).trim()]: this.attribute.value.slice(at + 1).trim() };
    }
    if (Object.keys(target).length) rule.target = target;
    if (this.starts.value) rule.starts_ms = new Date(this.starts.value).getTime();
    if (this.ends.value) rule.ends_ms = new Date(this.ends.value).getTime();
    if (!this.more.value.trim()) return rule;
    try {
      return { ...rule, ...JSON.parse(this.more.value) };
    } catch {
      throw new Error("More fields: this is no JSON object.");
    }
  }

  put(rule) {
    const { rule_id, action, author, reason, target = {}, starts_ms, ends_ms, relation, ...rest } = rule;
    this.action.value = action;
    Object.assign(this.ruleId, { value: rule_id });
    Object.assign(this.author, { value: author });
    Object.assign(this.reason, { value: reason });
    for (const [name, control] of Object.entries(this.numbers)) control.value = rule[name] ?? "";
    if (relation) this.relation.value = relation;
    this.itemIds.value = (target.item_ids ?? []).join(", ");
    this.category.value = target.category ?? "";
    this.tag.value = target.tag ?? "";
    const [first, ...others] = Object.entries(target.attributes ?? {});
    this.attribute.value = first ? first.join(":") : "";
    this.starts.value = localTime(starts_ms);
    this.ends.value = localTime(ends_ms);
    const more = Object.fromEntries(Object.entries(rest).filter(([name]) => !(name in NUMBERS)));
    const isWhole = (target.item_ids ?? []).every((each) => !each.includes(",") && each === each.trim());
    if (others.length || !isWhole) more.target = target;
    this.more.value = Object.keys(more).length ? JSON.stringify(more) : "";
    this.showOwn();
  }
}

function localTime(ms) {
  if (!ms) return "";
  const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString().slice(0, 16);
}
