// What TypeScript lets an app write, and what it does not: this is compiled and never run.
import { StreamRecClient } from "../src/client.ts";
import type { Event, Recommendations } from "../src/client.ts";

const service = new StreamRecClient("http://127.0.0.1:8080", { apiKey: "secret" });
const shown = [{ item_id: "a", position: 1, propensity: 0.5 }];
const seen: Event = { event_type: "impression", event_id: "e", user_id: "ann", list_id: "l", items: shown };
const made: Recommendations = await service.getRecommendations("ann", { n: 5, tag: ["red"], price_max: 20 });
await service.postEvents([seen, { event_type: "search", event_id: "s", user_id: "ann", query: "tea" }]);
await service.putRule({ rule_id: "r", action: "ban", author: "ann", reason: "recalled", target: { item_ids: ["a"] } });
await service.putProfile("ann", { interests: ["tea"], language: "de", birth_year: 1985 });
(await service.getProfile("ann")).interests satisfies string[] | undefined;
for await (const page of service.getPages("ann", { category: ["tea"] })) page.items[0]?.reason.kind satisfies string | undefined;
(await service.postRank({ user_id: "ann", item_ids: ["a"] })).left_out satisfies string[];

// @ts-expect-error: no such type of event
await service.postEvents({ event_type: "like", event_id: "e", user_id: "ann", item_id: "a" });
// @ts-expect-error: an event has an id
await service.postEvents({ event_type: "click", user_id: "ann", item_id: "a" });
// @ts-expect-error: no such filter
await service.getSimilar("a", { colour: "red" });
// @ts-expect-error: `q` is needed
await service.getSearch({ n: 5 });
// @ts-expect-error: an interest is in words
await service.putProfile("ann", { interests: [5] });
// @ts-expect-error: no such field
made.item_ids;
