// What the client does when answers are late, bad or missing: against a server that says what it is told to.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { HttpProblem, NoAnswer, StreamRecClient } from "../dist/client.js";

const CLICK = { event_type: "click", event_id: "e1", user_id: "ann", item_id: "a" };
const PROBLEM = { status: 503, title: "Service Unavailable", detail: "reading" };

/** Call `work` with a client of a server that gives each of `answers` in turn, the last one for ever. */
async function scripted(answers, options, work) {
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    asked.push({ method: request.method, url: request.url, headers: request.headers, body });
    const [status, said, headers = {}] = answers[Math.min(asked.length, answers.length) - 1];
    if (status === 0) return request.socket.destroy();
    if (status === -1) return; // never
    response.writeHead(status, headers).end(typeof said === "string" ? said : JSON.stringify(said));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const url = `http://127.0.0.1:${server.address().port}`;
    await work(new StreamRecClient(url, { firstPauseMs: 0, ...options }), asked);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test("an address is as it is meant", () =>
  scripted([[200, { items: [] }]], { apiKey: "secret" }, async (client, asked) => {
    await client.getSimilar("ä b?&c", { n: 3, exclude: ["x&y", "z"], tag: null, price_min: 0 });
    await client.getPopular();

    assert.equal(asked[0].url, "/v1/items/%C3%A4%20b%3F%26c/similar?n=3&exclude=x%26y&exclude=z&price_min=0");
    assert.equal(asked[1].url, "/v1/popular");
    assert.equal(asked[0].headers.authorization, "Bearer secret");
    for (const id of ["", ".", ".."]) {
      await assert.rejects(client.deleteUser(id), /TypeError: user_id=.* cannot stand in an address/);
    }
    assert.equal(asked.length, 2);
  }));

for (const status of [0, 429, 502, 503, 504]) {
  test(`what may pass is asked again: ${status || "a connection that is lost"}`, () =>
    scripted([[status], [status], [202, { n_records: 1 }]], {}, async (client, asked) => {
      assert.deepEqual(await client.postEvents(CLICK), { n_records: 1 });
      assert.deepEqual(asked.map((each) => JSON.parse(each.body)), [[CLICK], [CLICK], [CLICK]]);
      assert.equal(asked[0].headers["content-type"], "application/json");
    }));
}

test("it is given up in the end", () =>
  scripted([[503, PROBLEM, { "Retry-After": "0" }]], {}, async (client, asked) => {
    await assert.rejects(client.getPopular(), (error) => {
      assert(error instanceof HttpProblem);
      assert.equal(error.message, "503 Service Unavailable: reading");
      assert.deepEqual([error.status, error.reason, error.retryAfterMs], [503, "", 0]);
      return true;
    });
    assert.equal(asked.length, 4);
  }));

test("what is wrong is not asked again, nor what is to wait longer than the app allows", () =>
  scripted(
    [[422, { ...PROBLEM, status: 422, reason: "bad_query" }], [503, PROBLEM, { "Retry-After": "60" }]],
    {},
    async (client, asked) => {
      await assert.rejects(client.getSearch({ q: " " }), { status: 422, reason: "bad_query" });
      await assert.rejects(client.getPopular(), { status: 503, retryAfterMs: 60_000 });
      assert.equal(asked.length, 2);
    },
  ));

test("a service that is not ready says why, at once", () =>
  scripted([[503, { status: "not ready", why: "reading" }], [503, "no upstream"]], {}, async (client, asked) => {
    assert.deepEqual(await client.getReadiness(), { status: "not ready", why: "reading" });
    await assert.rejects(client.getReadiness(), { name: "HttpProblem", detail: "no upstream" });
    assert.equal(asked.length, 2);
  }));

test("what is not the service is told apart", () =>
  scripted([[200, "<html>please log in"], [404, "<html>nothing here"]], {}, async (client) => {
    await assert.rejects(client.getPopular(), { name: "NoAnswer", message: /not the service: <html>please/ });
    await assert.rejects(client.getPopular(), { name: "HttpProblem", status: 404, detail: "<html>nothing here" });
  }));

test("who does not answer in time is given up", () =>
  scripted([[-1]], { timeoutMs: 20, retries: 1 }, async (client, asked) => {
    await assert.rejects(client.getPopular(), (error) => {
      assert(error instanceof NoAnswer);
      assert.match(error.message, /no answer to GET \/v1\/popular: Error: nothing within 20 ms/);
      return true;
    });
    assert.equal(asked.length, 2);
  }));

test("a request ends when the app says so", () =>
  scripted([[-1]], {}, async (client, asked) => {
    const ending = new AbortController();
    const asking = client.getPopular({}, { signal: ending.signal });
    setTimeout(() => ending.abort(new Error("the user has left")), 20);
    await assert.rejects(asking, /the user has left/);
    await assert.rejects(client.getPopular({}, { signal: ending.signal }), /the user has left/);
    assert.equal(asked.length, 1);
  }));

test("it does not go on waiting when the app says so", () =>
  scripted([[503, PROBLEM]], { firstPauseMs: 60_000, longestPauseMs: 60_000 }, async (client) => {
    const ending = new AbortController();
    setTimeout(() => ending.abort(new Error("the user has left")), 20);
    await assert.rejects(client.getPopular({}, { signal: ending.signal }), /the user has left/);
  }));

test("any number of events is sent in batches as large as they may be", () =>
  scripted([[202, { n_records: 2 }]], {}, async (client, asked) => {
    const events = Array.from({ length: 10 }, (_, n) => ({ ...CLICK, event_id: `ä${n}` }));
    const size = new TextEncoder().encode(JSON.stringify(events.slice(0, 4))).length;
    const lengths = async (options) => {
      asked.length = 0;
      await client.sendEvents(events, options);
      return asked.map((each) => JSON.parse(each.body).length);
    };

    assert.deepEqual(await lengths({ bodyBytes: size }), [4, 4, 2]);
    assert.deepEqual(await lengths({ mostEvents: 6 }), [6, 4]);
    assert.equal(await client.sendEvents([]), 0);
    await assert.rejects(client.sendEvents([{ ...CLICK, value: NaN }]), /value=NaN of event e1 is not a number/);
  }));

test("an address that is none is refused", () => {
  for (const url of ["", "127.0.0.1:8080", "ftp://host"]) {
    assert.throws(() => new StreamRecClient(url), /is no address of the service/);
  }
});
