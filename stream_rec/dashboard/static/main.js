// The page: which view is shown, and what stands above all of them.

import { ask, keepKey, path, readKey } from "./api.js";
import { field, fill, h, input } from "./dom.js";
import { follow, live, start } from "./live.js";
import { showItem } from "./view-item.js";
import { showOverview } from "./view-overview.js";
import { showRules } from "./view-rules.js";
import { showSearch } from "./view-search.js";
import { showUser, showUsers } from "./view-user.js";

const VIEWS = [["", "Overview"], ["users", "Users"], ["items", "Items"], ["rules", "Rules"]];
const main = document.getElementById("main");
const nav = document.getElementById("nav");
let leave = new AbortController();
let about = null;

function read(hash) {
  const [address, query] = hash.replace(/^#\/?/, "").split("?", 2);
  try {
    return { parts: address.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query ?? "") };
  } catch {
    return { parts: ["nowhere"], query: new URLSearchParams() };
  }
}

function show({ isFirst = false } = {}) {
  leave.abort();
  leave = new AbortController();
  const { parts: [view = "", id], query } = read(location.hash);
  fill(nav, VIEWS.map(([name, title]) =>
    h("a", { href: `#/${name}`, "aria-current": name === view ? "page" : null }, title)));
  if (about?.needs_key && !readKey()) return showKey(isFirst);
  const heading = h("h1", { tabindex: "-1" });
  const body = h("div", { class: "view" });
  fill(main, heading, body);
  const place = { heading, body, signal: leave.signal, query, about };
  const title = { "": () => showOverview(place), users: () => (id ? showUser(place, id) : showUsers(place)),
    items: () => (id ? showItem(place, id) : showSearch(place)), rules: () => showRules(place, id) }[view];
  if (title) title();
  else {
    fill(heading, "There is no such view");
    fill(body, h("p", {}, "Go to the ", h("a", { href: "#/" }, "overview"), "."));
  }
  document.title = `${heading.textContent} · stream-rec`;
  if (!isFirst) {
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function showKey(isFirst) {
  const key = input({ type: "password", name: "key", required: true, autocomplete: "current-password" });
  const said = h("p", { role: "alert" });
  const form = h("form", { class: "card narrow" }, field("API key", key,
    "One of dashboard.keys_file with the scope read; rules need admin. It stays in this tab."),
  said, h("button", { class: "main" }, "Open"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    keepKey(key.value.trim());
    try {
      await ask("GET", path("users"), { isTrial: true });
      about = await ask("GET", path("about"));
      start();
      show();
    } catch (error) {
      keepKey("");
      fill(said, error.message);
      key.focus();
    }
  });
  fill(main, h("h1", { tabindex: "-1" }, "This dashboard asks for a key"), form);
  document.title = "Key · stream-rec";
  if (!isFirst) key.focus();
}

function showPulse() {
  const pulse = document.getElementById("pulse");
  const isWell = live.isOpen && live.now?.has_workers && !live.troubles.length;
  const text = !live.isOpen ? "Not connected" : isWell ? "Live" : live.now?.has_workers ? "Live, with gaps" : "No worker";
  const kind = !live.isOpen ? "bad" : isWell ? "good" : "warn";
  if (pulse.dataset.text !== text) {
    pulse.dataset.text = text;
    fill(pulse, h("i", { class: `dot ${kind}`, "aria-hidden": "true" }), text);
  }
}

window.addEventListener("hashchange", () => {
  if (location.hash !== "#main") show();
});
window.addEventListener("needskey", () => {
  keepKey("");
  if (about) {
    about.needs_key = true;
    show();
  }
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

async function begin() {
  for (;;) {
    try {
      about = await ask("GET", path("about"));
      break;
    } catch (error) {
      fill(main, h("h1", {}, "stream-rec"), h("p", { class: "trouble", role: "alert" }, error.message));
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
  follow(showPulse, new AbortController().signal);
  if (!about.needs_key || readKey()) start();
  show({ isFirst: true });
}

begin();
