// The Java client, with a transaction: see __init__.py for what it does.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Client {
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0], prefix = arguments[1], name = arguments[2];
        Map<String, Map<String, Future<RecordMetadata>>> last = new HashMap<>();
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", bootstrap, "transactional.id", prefix + name, "compression.type", "lz4");
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, prefix + "clicks", name + "-user-0", event(name, name + "-user-0", "aborted", 0));
            producer.flush();
            producer.abortTransaction();
            producer.beginTransaction();
            for (int n = 0; n < 5; n++) {
                String item = name + "-item-" + n;
                send(producer, prefix + "items", item, Map.of("item_id", item, "title", "Thing " + n));
            }
            for (int user = 0; user < 3; user++) {
                String userId = name + "-user-" + user;
                Map<String, Future<RecordMetadata>> byTopic = new HashMap<>();
                for (int n = 0; n < 9; n++) {
                    String topic = List.of("views", "clicks", "purchases").get(n % 3);
                    Map<String, Object> event = event(name, userId, userId + "-" + n, n % 5);
                    byTopic.put(topic, send(producer, prefix + topic, userId, event));
                    if (n == 8) send(producer, prefix + topic, userId, event);
                }
                last.put(userId, byTopic);
            }
            producer.commitTransaction();
        }
        Map<String, Map<String, Object>> lists = new TreeMap<>();
        settings = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(prefix + "recommendations")
                    .forEach(one -> partitions.add(new TopicPartition(one.topic(), one.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (lists.size() < last.size()) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    var wanted = last.get(record.key());
                    if (wanted == null || record.value() == null) continue;
                    JsonNode list = JSON.readTree(record.value());
                    boolean isNew = true;
                    for (var one : wanted.entrySet()) {
                        isNew &= list.get("seen").path(one.getKey()).asLong(-1) >= one.getValue().get().offset();
                    }
                    if (!isNew) continue;
                    List<String> items = new ArrayList<>();
                    list.get("items").forEach(item -> items.add(item.get("item_id").asText()));
                    lists.put(record.key(), Map.of("list_id", list.get("list_id").asText(), "items", items));
                }
            }
        }
        System.out.println(JSON.writeValueAsString(lists));
    }

    static Map<String, Object> event(String name, String userId, String eventId, int item) {
        return Map.of("event_id", eventId, "user_id", userId, "item_id", name + "-item-" + item,
                "timestamp_ms", System.currentTimeMillis());
    }

    static Future<RecordMetadata> send(
            KafkaProducer<String, String> producer, String topic, String key, Map<String, Object> value)
            throws Exception {
        return producer.send(new ProducerRecord<>(topic, key, JSON.writeValueAsString(value)));
    }
}
