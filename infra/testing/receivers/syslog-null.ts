// A syslog receiver over TLS that only counts, for benchmarks; a process of its own, so that its cost is not the sink's.
// `node infra/testing/receivers/syslog-null.ts` prints {"port":n,"statsPort":n,"ca":pem} and answers GET /stats with the totals.
// Invariant: messages are counted by their octet counts, and each must begin and end as a message of the sink does, so that a body that is
// cut or glued wrongly shows as broken.
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { createAuthority } from '../certificates.ts';
import { listen } from './http-server.ts';
import { createOctetReader } from './octet-counting.ts';

const totals = { connections: 0, events: 0, bytes: 0, broken: 0 };
const lessThan = 0x3c;

const authority = createAuthority();
const { cert, key } = authority.issue(['IP:127.0.0.1']);
const server = createTlsServer({ cert, key }, (socket) => {
  totals.connections += 1;
  const reader = createOctetReader((message) => {
    totals.events += 1;
    if (message?.[0] !== lessThan) totals.broken += 1;
  });
  socket.on('data', (bytes: Buffer) => {
    totals.bytes += bytes.length;
    reader.add(bytes);
  });
  socket.on('end', () => {
    if (reader.rest() > 0) totals.broken += 1;
  });
  socket.on('error', () => {
    totals.broken += 1;
  });
});
server.listen(0, '127.0.0.1', async () => {
  const stats = await listen((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(totals));
  });
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port, statsPort: stats.port, ca: authority.cert })}\n`);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
