import java.time.Instant;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends one prediction and its label to Plumbline. Needs org.apache.kafka:kafka-clients. Argument: HOST:PORT */
public class Producer {
    static KafkaProducer<String, String> open(String brokers) {
        Properties p = new Properties();
        p.put("bootstrap.servers", brokers);
        // Waits for every replica, and writes nothing twice when it retries.
        p.put("acks", "all");
        p.put("enable.idempotence", "true");
        return new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
    }

    public static void main(String[] args) throws Exception {
        // Build the JSON with your library; text blocks keep this short.
        String id = "java-1";
        String prediction = """
            {"prediction_id":"%s","model":"flight-delay","deploy_hash":"3f9c2a","stage":"production","ts":"%s",
             "features":{"distance":733,"origin":"ATL","gate":null},"score":0.31,"weight":1}""".formatted(id, Instant.now());
        String label = """
            {"prediction_id":"%s","model":"flight-delay","ts":"%s","label":"late"}""".formatted(id, Instant.now());
        try (KafkaProducer<String, String> producer = open(args[0])) {
            // The key decides the partition. The record's timestamp is left to the
            // client: it says when the event became known; ts says when it happened.
            producer.send(new ProducerRecord<>("predictions", id, prediction)).get();
            producer.send(new ProducerRecord<>("labels", id, label)).get();
        }
    }
}
