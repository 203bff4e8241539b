// The shop's page: what people do is told, and shelves are asked for again when their list knows it.

const main = document.querySelector("#main");
const COLOURS = { Bags: "#8a4b2d", Christmas: "#9c2230", Garden: "#3e6b34", Home: "#51557a", Kitchen: "#1f6277", Light: "#856011", Paper: "#6d3f79", Toys: "#a2385f" };
const PEOPLE = [["new", "someone new"], ["17850", "customer 17850"], ["17059", "customer 17059"], ["12748", "customer 12748"]];
const baskets = {};
let knowsAll = true; // whether a person's list has seen the last that they did
let wasRecommended = false; // what is opened next: then it is a click, and else a view
let person = "";

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

async function ask(path, method = "GET", body = undefined) {
  const options = { method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(`api/${path}`, options);
  } catch {
    throw new Error("The shop does not answer.");
  }
  const said = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(said?.detail ?? `The shop answers ${answer.status}.`);
  return said;
}

const as = (path) => `${path}${path.includes("?") ? "&" : "?"}person=${encodeURIComponent(person)}`;

async function tell(done) {
  try {
    const isKnown = await ask(as("done"), "POST", done);
    if (done.event_type !== "impression") knowsAll = isKnown;
  } catch (error) {
    knowsAll = false;
    console.warn(error.message); // selling goes on where nobody listens
  }
}

const price = (amount) => new Intl.NumberFormat("en-GB", { style: "currency", currency: "GBP" }).format(amount);

function picture(card) {
  return element("span", { class: "picture", style: `background:${COLOURS[card.category] ?? "#555"}`, "aria-hidden": "true" }, card.title[0]);
}

function showCard(card, shelf) {
  return element("li", { class: "card", "data-item": card.item_id },
    element("a", { href: `#/product/${encodeURIComponent(card.item_id)}`, onclick: () => { wasRecommended = Boolean(shelf.list_id); } },
      picture(card),
      element("span", { class: "text" },
        element("span", { class: "title" }, card.title),
        card.reason ? element("span", { class: "reason" }, card.reason) : undefined,
        element("span", { class: "price" }, price(card.price)))));
}

function showShelf(shelf) {
  if (shelf.list_id) {
    const shown = shelf.cards.map((card) => card.item_id);
    tell({ event_type: "impression", list_id: shelf.list_id, item_ids: shown, surface: shelf.name === "home" ? "" : shelf.name });
  }
  return element("section", { "data-shelf": shelf.name, "aria-label": shelf.title },
    element("h2", {}, shelf.title),
    shelf.cards.length
      ? element("ul", { class: "cards" }, ...shelf.cards.map((card) => showCard(card, shelf)))
      : element("p", {}, "Nothing here. Try other words."));
}

const basket = () => (baskets[person] ??= []);

function addToBasket(card) {
  basket().push(card);
  document.querySelector("#count").textContent = basket().length;
}

const pages = {
  async home() {
    const shelves = await ask(as("home"));
    return [element("h1", {}, "Welcome"), ...shelves.map(showShelf)];
  },

  async product(itemId) {
    await tell({ event_type: wasRecommended ? "click" : "view", item_id: itemId });
    wasRecommended = false;
    const shelves = await ask(as(`products/${encodeURIComponent(itemId)}`));
    const card = shelves.shift().cards[0];
    const product = element("div", { class: "product" },
      picture(card),
      element("div", {},
        element("h1", {}, card.title),
        element("p", {}, `${card.category} · ${price(card.price)}`),
        element("button", { type: "button", onclick: () => addToBasket(card) }, "Put in the basket")));
    return [product, ...shelves.map(showShelf)];
  },

  async search(query) {
    await tell({ event_type: "search", query });
    const shelves = await ask(as(`search?q=${encodeURIComponent(query)}`));
    return [element("h1", {}, "Search"), ...shelves.map(showShelf)];
  },

  async all(category = "") {
    const [shelves, categories] = await Promise.all([ask(`browse?category=${encodeURIComponent(category)}`), ask("categories")]);
    const chips = ["", ...categories].map((one) => element("li", {},
      element("a", { href: `#/all/${encodeURIComponent(one)}`, "aria-current": one === category ? "page" : undefined }, one || "Everything")));
    return [element("h1", {}, "All products"), element("ul", { class: "chips" }, ...chips), ...shelves.map(showShelf)];
  },

  async basket() {
    const cards = basket();
    const rows = cards.map((card, place) => element("li", {}, element("span", {}, card.title), element("span", {},
      `${price(card.price)} `,
      element("button", { class: "plain", type: "button", "aria-label": `Take out ${card.title}`, onclick: () => { cards.splice(place, 1); show(); } }, "Take out"))));
    if (!rows.length) return [element("h1", {}, "Basket"), element("p", {}, "Nothing in it yet.")];
    const buy = element("button", { type: "button", onclick: async () => {
      buy.disabled = true;
      await Promise.all(cards.map((card) => tell({ event_type: "purchase", item_id: card.item_id })));
      baskets[person] = [];
      location.hash = "#/";
    } }, `Buy for ${price(cards.reduce((sum, card) => sum + card.price, 0))}`);
    return [element("h1", {}, "Basket"), element("ul", { class: "rows" }, ...rows), buy];
  },

  async owner() {
    const [rules, [all], categories] = await Promise.all([ask("rules"), ask("browse"), ask("categories")]);
    const titles = Object.fromEntries(all.cards.map((card) => [card.item_id, card.title]));
    const option = (value, text) => element("option", { value }, text);
    const form = element("form", { class: "rule" },
      element("label", {}, "What", element("select", { name: "action" },
        option("ban", "never show"), option("pin", "show first"), option("cap", "at most two of"))),
      element("label", {}, "Of which", element("select", { name: "target" },
        element("optgroup", { label: "Categories" }, ...categories.map((name) => option(`category:${name}`, name))),
        element("optgroup", { label: "Products" }, ...all.cards.map((card) => option(`item:${card.item_id}`, card.title))))),
      element("label", {}, "Why", element("input", { name: "reason", required: "", maxlength: "200", placeholder: "recalled by the maker" })),
      element("button", {}, "Put the rule"));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const said = new FormData(form);
      const [kind, value] = said.get("target").split(/:(.*)/s);
      const rule = {
        rule_id: `shop-${Date.now()}`, action: said.get("action"), author: "owner", reason: said.get("reason"),
        target: kind === "item" ? { item_ids: [value] } : { category: value },
        ...(said.get("action") === "pin" && { slot: 1 }), ...(said.get("action") === "cap" && { count: 2 }),
      };
      await act(() => ask("rules", "PUT", rule));
    });
    const of = (rule) => rule.target.category ?? (rule.target.item_ids ?? []).map((id) => titles[id] ?? id).join(", ");
    const words = { ban: "never show", pin: "show first", cap: "at most two of" };
    const rows = rules.map((rule) => element("li", { "data-rule": rule.rule_id },
      element("span", {}, `${words[rule.action]} ${of(rule)}: ${rule.reason}`),
      element("button", { class: "plain", type: "button", onclick: () => act(() => ask(`rules/${encodeURIComponent(rule.rule_id)}`, "DELETE")) }, "End")));
    return [element("h1", {}, "What the owner says"), form, element("ul", { class: "rows" }, ...rows),
      rows.length ? "" : element("p", {}, "No rule yet. Every list obeys one within two seconds.")];
  },
};

async function act(what) {
  try {
    await what();
    await show();
  } catch (error) {
    main.prepend(element("p", { class: "notice", role: "alert" }, error.message));
  }
}

let turn = 0;

async function show() {
  const mine = ++turn;
  const started = performance.now();
  const [name = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const page = Object.hasOwn(pages, name || "home") ? pages[name || "home"] : pages.home;
  let made;
  try {
    made = await page(...rest);
  } catch (error) {
    made = [element("p", { class: "notice", role: "alert" }, error.message), element("p", {}, element("a", { href: "#/all" }, "Look at all products"))];
  }
  if (mine !== turn) return; // another page was opened meanwhile
  main.replaceChildren(...made);
  document.querySelector("#count").textContent = basket().length;
  const took = Math.round(performance.now() - started);
  document.querySelector("#timing").textContent = `It took ${took} ms; the lists ${knowsAll ? "know" : "do not know"} your last step.`;
  main.dataset.shown = String(mine);
}

const select = document.querySelector("#person");
select.append(...PEOPLE.map(([id, name]) => element("option", { value: id }, name)));
const visitor = (sessionStorage.visitor ??= `visitor-${crypto.randomUUID()}`);
const choose = () => { person = select.value === "new" ? visitor : select.value; };
select.addEventListener("change", () => { choose(); show(); });
document.querySelector("#search").addEventListener("submit", (event) => {
  event.preventDefault();
  const query = new FormData(event.target).get("q").trim();
  if (query) location.hash = `#/search/${encodeURIComponent(query)}`;
});
addEventListener("hashchange", () => { show(); main.focus(); });
choose();
show();
