// The event-ruler side of `./tocsin bench rules`: builds a machine from patterns and answers commands on its input.
//
// Usage: java -cp ... EventRulerSubject PATTERNS.jsonl EVENTS.jsonl [reuse] [flat]. Commands, one per line: `round` matches
// every event once and prints what it took, `dump FILE` writes line<TAB>rule id for every match (lines from 1, the ids of a
// line sorted). The first line printed tells about the build.
// Invariant: events are strings before the clock starts, as the library takes them; nothing but rulesForJSONEvent is timed.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import software.amazon.event.ruler.Machine;

public final class EventRulerSubject {
    private static final OperatingSystemMXBean SYSTEM =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private final Machine machine;
    private final List<String> events;

    private EventRulerSubject(Machine machine, List<String> events) {
        this.machine = machine;
        this.events = events;
    }

    public static void main(String[] args) throws Exception {
        List<String> options = List.of(args).subList(2, args.length);
        List<String> ids = new ArrayList<>();
        List<String> patterns = new ArrayList<>();
        ObjectMapper json = new ObjectMapper();
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            JsonNode node = json.readTree(line);
            ids.add(node.get("id").asText());
            patterns.add(node.get("pattern").toString());
        }
        List<String> events = Files.readAllLines(Path.of(args[1]));
        Machine machine = Machine.builder()
            .withAdditionalNameStateReuse(options.contains("reuse"))
            .withStructuredMatching(!options.contains("flat"))
            .build();
        long before = usedHeap();
        long start = System.nanoTime();
        for (int index = 0; index < ids.size(); index++) machine.addRule(ids.get(index), patterns.get(index));
        double buildMs = (System.nanoTime() - start) / 1e6;
        long after = usedHeap();
        System.out.printf("{\"rules\":%d,\"build_ms\":%.1f,\"heap_bytes\":%d}%n", ids.size(), buildMs, after - before);
        new EventRulerSubject(machine, events).serve();
    }

    private static long usedHeap() {
        for (int turn = 0; turn < 3; turn++) System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    private void serve() throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            if (line.equals("round")) round();
            else if (line.startsWith("dump ")) dump(Path.of(line.substring(5)));
            else throw new IllegalArgumentException("unknown command " + line);
        }
    }

    private void round() throws Exception {
        long cpu = SYSTEM.getProcessCpuTime();
        long start = System.nanoTime();
        long matches = 0;
        for (String event : events) matches += machine.rulesForJSONEvent(event).size();
        double seconds = (System.nanoTime() - start) / 1e9;
        double cpuSeconds = (SYSTEM.getProcessCpuTime() - cpu) / 1e9;
        System.out.printf("{\"events\":%d,\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"matches\":%d}%n",
            events.size(), seconds, cpuSeconds, matches);
    }

    private void dump(Path file) throws Exception {
        try (BufferedWriter out = Files.newBufferedWriter(file)) {
            for (int index = 0; index < events.size(); index++) {
                List<String> ids = new ArrayList<>(machine.rulesForJSONEvent(events.get(index)));
                Collections.sort(ids);
                for (String id : ids) out.write((index + 1) + "\t" + id + "\n");
            }
        }
        System.out.println("{\"dumped\":true}");
    }
}
