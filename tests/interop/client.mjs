// KafkaJS under Node: see __init__.py for what it does.
import { CompressionTypes, Kafka, Partitioners, logLevel } from "kafkajs";

const [bootstrap, prefix, name] = process.argv.slice(2);
const kafka = new Kafka({ clientId: name, brokers: bootstrap.split(","), logLevel: logLevel.ERROR });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
await producer.connect();

async function send(topic, key, value) {
  const message = { key, value: JSON.stringify(value) };
  const [stands] = await producer.send({ topic: prefix + topic, compression: CompressionTypes.GZIP, messages: [message] });
  return Number(stands.baseOffset);
}

for (let n = 0; n < 5; n++) {
  await send("items", `${name}-item-${n}`, { item_id: `${name}-item-${n}`, title: `Thing ${n}` });
}
const waiting = new Map(); // by user: topic -> offset of the last event
for (let user = 0; user < 3; user++) {
  const user_id = `${name}-user-${user}`;
  const last = {};
  for (let n = 0; n < 9; n++) {
    const topic = ["views", "clicks", "purchases"][n % 3];
    const event = { event_id: `${user_id}-${n}`, user_id, item_id: `${name}-item-${n % 5}`, timestamp_ms: Date.now() };
    last[topic] = await send(topic, user_id, event);
    if (n === 8) await send(topic, user_id, event);
  }
  waiting.set(user_id, last);
}
await producer.disconnect();

const lists = {};
const consumer = kafka.consumer({ groupId: `${prefix}${name}`, sessionTimeout: 10000 });
await consumer.connect();
await consumer.subscribe({ topic: prefix + "recommendations", fromBeginning: true });
const done = new Promise((resolve) => {
  consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      const last = waiting.get(String(message.key));
      if (!last || message.value === null) return;
      const list = JSON.parse(String(message.value));
      if (Object.entries(last).every(([topic, offset]) => (list.seen[topic] ?? -1) >= offset)) {
        lists[list.user_id] = { list_id: list.list_id, items: list.items.map((item) => item.item_id) };
        if (Object.keys(lists).length === waiting.size) resolve();
      }
    },
  });
});
await done;
await consumer.disconnect();
console.log(JSON.stringify(lists));
