// Elements from values. Whatever comes from a topic becomes text, never markup.

export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

// A title may hold characters that turn the direction of what follows: it is a world of its own.
export const apart = (text, className) => h("bdi", { class: className }, text);

export function table(label, heads, rows, options = {}) {
  const head = h("tr", {}, heads.map((each) => {
    const { text, ...props } = typeof each === "string" ? { text: each } : each;
    return h("th", { scope: "col", ...props }, text);
  }));
  const made = h("table", { class: options.class }, h("caption", { class: "unseen" }, label),
    h("thead", {}, head), h("tbody", {}, rows));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, made);
}

export const num = (text, props = {}) => h("td", { ...props, class: `num ${props.class ?? ""}` }, text);

let n_ids = 0;
export function field(label, control, hint) {
  control.id ||= `f${++n_ids}`;
  const said = hint ? h("small", { id: `${control.id}-hint` }, hint) : null;
  if (said) control.setAttribute("aria-describedby", said.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, said);
}

export const input = (props = {}) =>
  h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...props });

export const select = (values, props = {}) =>
  h("select", props, values.map(([value, text]) => h("option", { value }, text)));

export const trouble = (text) => h("p", { class: "trouble", role: "alert" }, text);
export const empty = (...text) => h("p", { class: "empty" }, text);

export const columns = (...sides) =>
  h("div", { class: "cards" }, sides.map((side) => h("div", { class: "column" }, side)));
