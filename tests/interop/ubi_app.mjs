// A web shop that is instrumented for User Behavior Insights 1.3, and that knows nothing of stream-rec: what its pages
// and its search tell goes to its own two topics. It prints what it has told, as it counts itself.
import { Kafka, Partitioners, logLevel } from "kafkajs";

const [bootstrap, queriesTopic, eventsTopic] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "web-shop", brokers: [bootstrap], logLevel: logLevel.ERROR });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
await producer.connect();

const PRODUCTS = Array.from({ length: 12 }, (_, number) => `sku-${number}`);
const told = {}; // by visitor: what came of it
let serial = 0;
const now = () => new Date(1714564800000 + serial++ * 1000).toISOString();
const messages = { [queriesTopic]: [], [eventsTopic]: [] };
const put = (topic, value) => messages[topic].push({ key: null, value: JSON.stringify(value) }); // no key: any partition

for (let visitor = 0; visitor < 20; visitor++) {
  const clientId = `browser-${visitor}`;
  const counts = (told[clientId] = { searches: 0, shown: 0, click: 0, view: 0, purchase: 0 });
  for (let visit = 0; visit < 3; visit++) {
    const queryId = `q-${visitor}-${visit}`;
    const found = PRODUCTS.filter((_, number) => (number + visitor + visit) % 3 === 0);
    put(queriesTopic, {
      application: "web-shop", query_id: queryId, client_id: clientId, user_query: `teapot ${visit}`,
      query_attributes: { page: 1 }, object_id_field: "sku", timestamp: now(), query_response_id: `r-${queryId}`,
      query_response_hit_ids: found,
    });
    counts.searches++;
    counts.shown++;
    const say = (action_name, sku, ordinal) => put(eventsTopic, {
      application: "web-shop", action_name, query_id: queryId, client_id: clientId, session_id: `s-${visitor}`,
      timestamp: now(), message_type: "INFO", message: `${action_name} ${sku}`,
      event_attributes: { object: { object_id: sku, object_id_field: "sku", description: "a product" }, position: { ordinal } },
    });
    say("product_hover", found[0], 1); // an action of the shop's own, of which nobody has said what it means
    say("click", found[0], 1);
    counts.click++;
    if (visit === 1) { say("add_to_cart", found[1], 2); counts.click++; }
    if (visit === 2) { say("purchase", found[0], 1); counts.purchase++; }
  }
}
for (const [topic, ofTopic] of Object.entries(messages)) await producer.send({ topic, messages: ofTopic });
await producer.disconnect();
console.log(JSON.stringify(told));
