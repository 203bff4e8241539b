// Every operation against a service at $STREAM_REC_URL, which tests/interop/test_http_clients.py runs.
import assert from "node:assert/strict";
import { test } from "node:test";

import { StreamRecClient } from "../dist/client.js";

const url = process.env.STREAM_REC_URL;
const only = { skip: url === undefined && "no $STREAM_REC_URL" };
const client = new StreamRecClient(url ?? "http://127.0.0.1:8080");

test("lists are read", only, async () => {
  const own = await client.getRecommendations("ann", { n: 1, exclude: ["a", "z"] });
  assert.deepEqual([own.list_id, own.items[0].item_id], ["list-of-ann", "b"]);
  const popular = await client.getPopular({ n: 1 });
  assert.deepEqual([popular.is_default, popular.items.map((item) => item.item_id)], [true, ["x"]]);
  assert.deepEqual(await client.getHealth(), { status: "ok" });
  assert.deepEqual(await client.getReadiness(), { status: "ok" });
});

test("events of each kind are taken", only, async () => {
  const about = { user_id: "ann" };
  const events = [
    { ...about, event_type: "view", event_id: "e1", item_id: "a" },
    { ...about, event_type: "click", event_id: "e2", item_id: "a", context: { page: 1 } },
    { ...about, event_type: "purchase", event_id: "e3", item_id: "a", value: 2.5 },
    { ...about, event_type: "search", event_id: "e4", query: "blue kettle" },
    { ...about, event_type: "impression", event_id: "e5", list_id: "l", items: [{ item_id: "a", position: 1 }] },
  ];
  assert.equal(await client.sendEvents(events, { mostEvents: 2 }), 5);
  await assert.rejects(client.postEvents({ ...events[1], query: "tea" }), {
    status: 422,
    reason: "wrong_type",
    detail: "event 0: a click has no `query`",
  });
});

test("the owner changes items, rules and users", only, async () => {
  await client.putItem({ item_id: "ä b?/%2F&c", title: "Tea" });
  await client.deleteItem("ä b?/%2F&c");
  await client.putRule({ rule_id: "r", action: "ban", author: "ann", reason: "recalled", target: { item_ids: ["a"] } });
  await client.deleteRule("r");
  assert.match((await client.deleteUser("bob")).request_id, /^\w{32}$/);
});

test("what a user says of themselves is put, asked for and taken back", only, async () => {
  const profile = { interests: ["blue kettles", "hiking"], language: "pt-BR", birth_year: 1985, timestamp_ms: 5 };
  assert.equal((await client.putProfile("zoë", profile)).n_records, 1);
  await client.deleteProfile("zoë");
  assert.deepEqual(await client.getProfile("said"), profile);
  await assert.rejects(client.getProfile("nobody"), { status: 404, detail: "there is no profile of 'nobody'" });
  await assert.rejects(client.putProfile("ann", { interests: [" "] }), { status: 422, reason: "bad_profile" });
});

test("what is ranked on the spot is asked for", only, async () => {
  const filters = { category: ["tea"], tag: ["red"], attribute: ["brand:Acme"], price_min: 0, price_max: 1.5 };
  const made = await client.getRecommendations("u1", filters);
  assert.deepEqual(made.items.map((item) => item.item_id).sort(), ["red-cup", "red-teapot"]);
  const ranked = await client.postRank({ user_id: "u1", item_ids: ["red-cup", "nothing", "blue-lamp"], n: 1 });
  assert.deepEqual([ranked.items.length, ranked.unknown], [1, ["nothing"]]);
  assert.deepEqual((await client.getSimilar("red-cup", filters)).items.map((item) => item.item_id), ["red-teapot"]);
  const found = await client.getSearch({ q: "kettle", user_id: "u1", item_id: "red-cup", exclude: ["red-kettle"] });
  assert(found.items.length > 0 && found.items.every((item) => item.item_id !== "red-kettle"));
});

test("pages follow each other until nothing is left", only, async () => {
  const shown = [];
  for await (const page of client.getPages("u1", { category: ["tea"], n: 5 })) {
    shown.push(...page.items.map((item) => item.item_id));
  }
  assert.deepEqual([shown.length, new Set(shown).size], [12, 12]);
});
