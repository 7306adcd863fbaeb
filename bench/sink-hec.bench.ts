// Throughput of the Splunk HEC sink. `node bench/sink-hec.bench.ts [events] [rounds]` prints one JSON object; see sink-driver.ts.
import { runSinkBench } from './sink-driver.ts';

await runSinkBench({
  bench: 'sink hec',
  receiver: '../infra/testing/receivers/hec-null.ts',
  type: 'splunk-hec',
  params: { index: 'security' },
  connection: {
    kind: 'connection',
    id: 'null',
    type: 'http',
    protocol: 'http',
    allow_insecure: true,
    host: '127.0.0.1',
  },
});
