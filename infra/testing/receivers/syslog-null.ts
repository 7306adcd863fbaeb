// A syslog receiver over TLS that only counts, for benchmarks; a process of its own, so that its cost is not the sink's.
// `node infra/testing/receivers/syslog-null.ts` prints {"port":n,"statsPort":n,"ca":pem} and answers GET /stats with the totals.
// Invariant: messages are counted by their octet counts, and each must begin and end as a message of the sink does, so that a body that is
// cut or glued wrongly shows as broken.
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { createAuthority } from '../certificates.ts';
import { listen } from './http-server.ts';

const totals = { connections: 0, events: 0, bytes: 0, broken: 0 };
const lessThan = 0x3c;

/** Reads octet-counted messages from pieces of any size; what is left over at the end is broken. */
function createCounter(): { add(bytes: Buffer): void; end(): void } {
  let rest: Buffer = Buffer.alloc(0);
  return {
    add(bytes) {
      totals.bytes += bytes.length;
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let at = 0;
      for (;;) {
        let length = 0;
        let digit = at;
        while (digit < all.length && all[digit]! >= 0x30 && all[digit]! <= 0x39)
          length = length * 10 + all[digit++]! - 0x30;
        if (digit >= all.length || all.length <= digit + length) break;
        if (all[digit] !== 0x20 || all[digit + 1] !== lessThan) totals.broken += 1;
        totals.events += 1;
        at = digit + 1 + length;
      }
      rest = all.subarray(at);
    },
    end() {
      if (rest.length > 0) totals.broken += 1;
    },
  };
}

const authority = createAuthority();
const { cert, key } = authority.issue(['IP:127.0.0.1']);
const server = createTlsServer({ cert, key }, (socket) => {
  totals.connections += 1;
  const counter = createCounter();
  socket.on('data', (bytes: Buffer) => counter.add(bytes));
  socket.on('end', () => counter.end());
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
