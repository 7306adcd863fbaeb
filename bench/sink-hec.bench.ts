// Throughput of the Splunk HEC sink. `node bench/sink-hec.bench.ts [events] [rounds]` prints one JSON object.
import { benchSink } from './sinks/drive.ts';

await benchSink('sink hec', 'hec-null.ts', { type: 'splunk-hec', params: { index: 'security' } });
