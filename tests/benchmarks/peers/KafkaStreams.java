import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams.State;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;

/**
 * Kafka Streams: sound joined with the picture it falls into, then with the text that holds, by two windowed joins with
 * in-memory stores. An output is a sound with its picture and its text. Measures itself like meter.py, and writes the same
 * line.
 */
public final class KafkaStreams {
  private static final int SOUND_MS = 20;
  private static final int PICTURE_MS = 40;
  private static final int TEXT_MS = 1_000;

  private final Map<String, String> options;
  private final long wanted;
  private final AtomicLong records = new AtomicLong();
  private final AtomicLong outputs = new AtomicLong();
  private final StringBuilder live = new StringBuilder();
  private final CountDownLatch done = new CountDownLatch(1);
  private final CountDownLatch told = new CountDownLatch(1);
  private long[] began;
  private long[] ended;

  private KafkaStreams(Map<String, String> options) {
    this.options = options;
    this.wanted = Long.parseLong(options.get("records"));
  }

  /** Reads all that was written, or live until SIGTERM. */
  public static void main(String[] arguments) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (String argument : arguments) {
      String[] pair = argument.split("=", 2);
      options.put(pair[0], pair[1]);
    }
    new KafkaStreams(options).run();
  }

  private void run() throws Exception {
    StreamsBuilder builder = new StreamsBuilder();
    join(builder);
    try (var streams = new org.apache.kafka.streams.KafkaStreams(builder.build(), properties())) {
      streams.setUncaughtExceptionHandler(
          error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
          });
      streams.setStateListener(
          (now, before) -> {
            if (now == State.ERROR) {
              done.countDown();
            }
          });
      Runtime.getRuntime().addShutdownHook(new Thread(this::awaitTold));
      streams.start();
      done.await();
    }
    tell();
    told.countDown();
  }

  /** SIGTERM: what was counted is still told before the process ends. */
  private void awaitTold() {
    done.countDown();
    try {
      told.await();
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  private Properties properties() {
    Properties properties = new Properties();
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("address"));
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("group"));
    properties.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state"));
    properties.put(
        StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG,
        BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
    options.forEach(
        (name, value) -> {
          if (name.startsWith("set.")) {
            properties.put(name.substring("set.".length()), value);
          }
        });
    return properties;
  }

  private void join(StreamsBuilder builder) {
    KStream<Bytes, byte[]> audio = read(builder, "audio");
    KStream<Bytes, byte[]> video = read(builder, "video");
    KStream<Bytes, byte[]> text = read(builder, "text");
    boolean left = options.get("how").equals("left");
    KStream<Bytes, byte[]> seen = join(audio, video, PICTURE_MS, left);
    join(seen, text, TEXT_MS, left).process(() -> new Counter());
  }

  private KStream<Bytes, byte[]> read(StreamsBuilder builder, String modality) {
    return builder
        .stream(options.get("prefix") + modality, Consumed.with(Serdes.Bytes(), Serdes.ByteArray()))
        .peek((key, value) -> count());
  }

  /** Joins with what began in the last {@code millis}, so that a frame that lasts so long is found exactly once. */
  private KStream<Bytes, byte[]> join(
      KStream<Bytes, byte[]> one, KStream<Bytes, byte[]> other, int millis, boolean left) {
    Duration grace = Duration.ofMillis(Long.parseLong(options.get("grace_ms")));
    JoinWindows windows =
        JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(millis - 1), grace)
            .after(Duration.ZERO);
    StreamJoined<Bytes, byte[], byte[]> joined =
        StreamJoined.with(Serdes.Bytes(), Serdes.ByteArray(), Serdes.ByteArray());
    // A window's `before` and `after` are of the right stream's records, seen from the left one's.
    if (options.get("changelog").equals("false")) {
      joined = joined.withLoggingDisabled();
    }
    return left
        ? one.leftJoin(other, KafkaStreams::both, windows, joined)
        : one.join(other, KafkaStreams::both, windows, joined);
  }

  private static byte[] both(byte[] one, byte[] other) {
    int size = other == null ? 0 : other.length;
    ByteBuffer both = ByteBuffer.allocate(Integer.BYTES + one.length + size);
    both.putInt(one.length).put(one);
    return other == null ? both.array() : both.put(other).array();
  }

  private void count() {
    long count = records.incrementAndGet();
    if (count == 1) {
      began = now();
    } else if (count == wanted) {
      ended = now();
      done.countDown();
    }
  }

  /** Counts outputs, and notes when each came, live. */
  private final class Counter extends ContextualProcessor<Bytes, byte[], Void, Void> {
    @Override
    public void process(Record<Bytes, byte[]> output) {
      outputs.incrementAndGet();
      if (wanted == 0) {
        long capturedMs = output.timestamp() + SOUND_MS;
        live.append(live.length() == 0 ? "" : ", ");
        live.append("[").append(capturedMs).append(", ");
        live.append(System.currentTimeMillis() - capturedMs).append("]");
      }
    }
  }

  /** Wall clock and processor time of this process, in nanoseconds. */
  private static long[] now() {
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return new long[] {System.nanoTime(), system.getProcessCpuTime()};
  }

  private void tell() throws Exception {
    long[] from = began == null ? now() : began;
    long[] to = ended == null ? now() : ended;
    System.out.printf(
        Locale.ROOT,
        "{\"records\": %d, \"outputs\": %d, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"peak_mib\": %.1f, \"live\": [%s]}%n",
        records.get(),
        outputs.get(),
        (to[0] - from[0]) / 1e9,
        (to[1] - from[1]) / 1e9,
        peakMib(),
        live);
    System.out.flush();
  }

  private static double peakMib() throws Exception {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) / 1024.0;
      }
    }
    return 0;
  }
}
