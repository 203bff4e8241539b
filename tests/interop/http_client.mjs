// The TypeScript client of the HTTP service under Node: see __init__.py for what it does, called with its address.
import { StreamRecClient } from "../../deploy/clients/typescript/dist/client.js";

const [url, name] = process.argv.slice(2);
const service = new StreamRecClient(url);

for (let n = 0; n < 5; n++) await service.putItem({ item_id: `${name}-item-${n}`, title: `Thing ${n}` });
const users = [0, 1, 2].map((user) => `${name}-user-${user}`);
for (const user_id of users) {
  const events = Array.from({ length: 9 }, (_, n) => ({
    event_type: ["view", "click", "purchase"][n % 3],
    event_id: `${user_id}-${n}`,
    user_id,
    item_id: `${name}-item-${n % 5}`,
  }));
  const shown = [0, 1].map((n) => ({ item_id: `${name}-item-${n}`, position: n + 1 }));
  const seen = { event_type: "impression", event_id: `${user_id}-s`, user_id, list_id: "", items: shown };
  const sent = await service.sendEvents([...events, events[8], seen], { mostEvents: 4 });
  if (sent !== 11) throw new Error(`${sent} events were taken`);
}
const lists = {};
while (Object.keys(lists).length < users.length) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (const user_id of users) {
    const made = await service.getRecommendations(user_id);
    if (!made.is_default) lists[user_id] = { list_id: made.list_id, items: made.items.map((item) => item.item_id) };
  }
}
console.log(JSON.stringify(lists));
