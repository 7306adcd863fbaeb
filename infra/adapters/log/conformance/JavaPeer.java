// Writes records with Apache Kafka's own Java producer: an independent encoder, compressor and partitioner.
// Arguments: bootstrap servers, topic, compression type, number of records. Prints `key partition offset` per record.
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

public class JavaPeer {
  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("acks", "all");
    properties.put("linger.ms", "20");
    properties.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    properties.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    int count = Integer.parseInt(args[3]);
    StringBuilder out = new StringBuilder();
    for (String codec : args[2].split(",")) {
      properties.put("compression.type", codec);
      try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int n = 0; n < count; n++) {
          String value = "{\"codec\":\"" + codec + "\",\"n\":" + n + ",\"text\":\"" + "finding ".repeat(20) + "\"}";
          sent.add(producer.send(new ProducerRecord<>(args[1], key(codec, n), value)));
        }
        for (int n = 0; n < count; n++) {
          RecordMetadata at = sent.get(n).get();
          out.append(key(codec, n)).append(' ').append(at.partition()).append(' ').append(at.offset()).append('\n');
        }
      }
    }
    System.out.print(out);
  }

  // Lengths of every remainder modulo four, and bytes above 127: the hash treats them differently.
  private static String key(String codec, int n) {
    return codec + "-" + n + "é".repeat(n % 5);
  }
}
