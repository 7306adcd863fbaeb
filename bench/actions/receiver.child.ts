// Receivers of `bench actions`: many HTTP destinations in one process, each with an address of its own below 127.64.0.0/16.
//
// Invariant: every command is counted by its number, so that a lost or a repeated one shows; a request is answered only when its
// body is whole.
// Surprise: requests are parsed by hand, because the receiver shares two cores with what is measured.
//
// Arguments: first destination, number of destinations, port.
import { createServer, type Socket } from 'node:net';
import { addressOf } from './destinations.ts';

export type Behaviour = 'answer' | 'hang' | 'fail';

/** From the bench. */
export type ReceiverOrder =
  /** Forgets what was counted; from now on commands `from` to `from + count` count. */
  | { readonly order: 'begin'; readonly from: number; readonly count: number }
  | { readonly order: 'behave'; readonly destination: number; readonly as: Behaviour }
  | { readonly order: 'books' };

export interface ReceiverBooks {
  readonly received: number;
  readonly duplicates: number;
  /** From the call that sends the command to its request here, ms; those of destinations that behave, and behaved, always. */
  readonly latenciesMs: readonly number[];
  /** Of the last request, epoch ms. */
  readonly lastAt: number;
  readonly connections: number;
  readonly cpuSeconds: number;
}

const [first = 0, count = 0, port = 0] = process.argv.slice(2).map(Number);

const clock = (): number => performance.timeOrigin + performance.now();
const ok = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
const broken = Buffer.from('HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n');
const headEnd = Buffer.from('\r\n\r\n');
const behaviours = new Map<number, Behaviour>();
let from = 0;
let seen = new Uint8Array(0);
let latenciesMs: number[] = [];
let received = 0;
let duplicates = 0;
let lastAt = 0;
let connections = 0;

/** Number and time in `{"data":{"n":7,"sent_at":1.5,...`. */
const stamp = /"n":(\d+),"sent_at":([\d.]+)/;

function take(destination: number, body: string): void {
  const at = clock();
  const [, n = '', sentAt = ''] = stamp.exec(body) ?? [];
  const place = Number(n) - from;
  if (n === '' || place < 0 || place >= seen.length) return;
  if (seen[place] === 1) duplicates += 1;
  else received += 1;
  seen[place] = 1;
  lastAt = at;
  if (!behaviours.has(destination)) latenciesMs.push(at - Number(sentAt));
}

function serve(socket: Socket, destination: number): void {
  let held: Buffer = Buffer.alloc(0);
  connections += 1;
  socket.setNoDelay(true);
  socket.on('close', () => {
    connections -= 1;
  });
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      const head = held.indexOf(headEnd);
      if (head < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(held.toString('latin1', 0, head))?.[1] ?? 0);
      const end = head + 4 + length;
      if (held.length < end) return;
      const body = held.toString('latin1', head + 4, end);
      held = held.subarray(end);
      const behaviour = behaviours.get(destination) ?? 'answer';
      if (behaviour === 'hang') return;
      take(destination, body);
      socket.write(behaviour === 'fail' ? broken : ok);
    }
  });
}

// The bench is gone, however it ended.
process.on('disconnect', () => process.exit());
process.on('message', (message) => {
  const order = message as ReceiverOrder;
  if (order.order === 'behave') behaviours.set(order.destination, order.as);
  else if (order.order === 'begin') {
    from = order.from;
    seen = new Uint8Array(order.count);
    latenciesMs = [];
    received = 0;
    duplicates = 0;
  } else {
    const { user, system } = process.cpuUsage();
    const books: ReceiverBooks = {
      received,
      duplicates,
      latenciesMs,
      lastAt,
      connections,
      cpuSeconds: (user + system) / 1e6,
    };
    latenciesMs = [];
    process.send?.(books);
  }
});

const listening = (destination: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => serve(socket, destination));
    server.once('error', reject);
    server.listen({ host: addressOf(destination), port, backlog: 64 }, resolve);
  });
await Promise.all(Array.from({ length: count }, (_, index) => listening(first + index)));
process.send?.({ listening: count });
