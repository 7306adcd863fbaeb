// Throughput of the Elasticsearch sink. `node bench/sink-es.bench.ts [events] [rounds]` prints one JSON object.
//
// Every document gets an id, @timestamp, and an index by its day.
import { benchSink } from './sinks/drive.ts';

await benchSink('sink es', 'bulk-null.ts', {
  type: 'elasticsearch',
  params: { index: 's4e-events-%{+YYYY.MM.dd}' },
});
