// One receiver as a process that may be killed: HEC, _bulk or syslog over TCP. `node receiver.child.ts <kind> <port> <books>`, faults by IPC.
//
// Invariant: what it stores is in the books, a file, before it answers; so the books outlive it, and nobody has an answer that they lack.
// Surprise: the documents of _bulk are read from the books at the start, as those of a real server come back from its disk.
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { type BulkFault, startBulkReceiver } from '@tocsin/testing/receivers/bulk.ts';
import { type HecFault, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { startSyslogReceiver } from '@tocsin/testing/receivers/syslog.ts';
import { index, maxEventBytes, secret } from './kinds.ts';
import { readEntries } from './verdict.ts';

/** What a test may ask of it; answered with `done` once it holds. */
export type Order =
  | { readonly order: 'fail'; readonly fault: HecFault | BulkFault | null; readonly health: 'up' | 'down' }
  | { readonly order: 'script'; readonly faults: readonly (HecFault | BulkFault)[] }
  | { readonly order: 'reset'; readonly after: number | null };

const [kind, portText, books = ''] = process.argv.slice(2);
const port = Number(portText);
const known = existsSync(books) ? readEntries(readFileSync(books)).flatMap(({ ids }) => ids) : [];
const file = openSync(books, 'a');
// A line that the kill cut off ends here.
writeSync(file, '\n');

function keep(ids: readonly string[]): void {
  writeSync(file, `${JSON.stringify([Date.now(), ids])}\n`);
}

const idOf = (event: unknown): string => String((event as { id?: unknown }).id);

async function start(): Promise<(order: Order) => void> {
  if (kind === 'syslog') {
    const { resetAfter } = await startSyslogReceiver({
      port,
      onMessages: (messages) =>
        keep(messages.map((message) => / externalId=(\S+)/.exec(message)?.[1] ?? 'no-id')),
    });
    return (order) => order.order === 'reset' && resetAfter(order.after);
  }
  const { script, failWith } =
    kind === 'hec'
      ? await startHecReceiver({
          token: secret,
          port,
          indexes: [index],
          maxEventBytes,
          onIndexed: (events) => keep(events.map(({ event }) => idOf(event))),
        })
      : await startBulkReceiver({
          apiKey: secret,
          port,
          indexes: [index],
          known: known.map((id) => `${index}/${id}`),
          refuse: (source) =>
            typeof (source as { data: { n: unknown } }).data.n === 'number'
              ? null
              : 'failed to parse field [data.n] of type [integer]',
          onStored: (documents) => keep(documents.map(({ source }) => idOf(source))),
        });
  return (order) => {
    if (order.order === 'fail') failWith(order.fault as never, order.health);
    if (order.order === 'script') script(...(order.faults as never[]));
  };
}

const obey = await start();
process.on('message', (order: Order) => {
  obey(order);
  process.send?.('done');
});
// Whoever started it is gone.
process.on('disconnect', () => {
  closeSync(file);
  process.exit(0);
});
process.send?.('ready');
