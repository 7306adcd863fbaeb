// Throughput of the syslog sink: CEF over TLS. `node bench/sink-syslog.bench.ts [events] [rounds]` prints one JSON object; see sink-driver.ts.
import { runSinkBench } from './sink-driver.ts';

await runSinkBench({
  bench: 'sink syslog',
  receiver: '../infra/testing/receivers/syslog-null.ts',
  type: 'syslog',
  // The last batches of a round are proved soon after it.
  params: { proof_ms: 500 },
  connection: { kind: 'connection', id: 'null', type: 'syslog', protocol: 'tls', host: '127.0.0.1' },
});
