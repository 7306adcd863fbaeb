// Throughput of the syslog sink: CEF over TLS. `node bench/sink-syslog.bench.ts [events] [rounds]` prints one JSON object.
import { benchSink } from './sinks/drive.ts';

await benchSink(
  'sink syslog',
  'syslog-null.ts',
  // The last batches of a round are proved soon after it.
  { type: 'syslog', params: { proof_ms: 500 } },
  { kind: 'connection', id: 'null', type: 'syslog', protocol: 'tls', host: '127.0.0.1' },
);
