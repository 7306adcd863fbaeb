// A HEC receiver that only counts, for benchmarks.
// `node infra/testing/receivers/hec-null.ts [port] [bytes]` prints {"port":n,"url":...} and answers GET /stats with the totals;
// with `bytes` it counts bytes and requests only.
import { ValueCounter } from './hec-parser.ts';
import { runNullReceiver } from './null-receiver.ts';

const success = Buffer.from('{"text":"Success","code":0}');
const [port = '0', count = 'events'] = process.argv.slice(2);

await runNullReceiver(
  {
    counter: count === 'bytes' ? null : () => new ValueCounter(),
    answer: () => success,
    health: { text: 'HEC is healthy', code: 17 },
    headers: { server: 'Splunkd' },
  },
  Number(port),
);
