// `bench actions`: webhook commands per second of one worker process, command to request, and what a bad destination costs the
// others: the real service on embedded servers, receivers and driver in processes of their own, all on this machine.
//
// Invariant: every command is counted at its receiver by number; a round with one lost or twice is void (exit code 1).
// Surprise: destinations have addresses of their own in 127.64.0.0/16, which Linux answers on without any setting; macOS does not.
//
// Usage: node bench/actions.bench.ts [throughput] [isolation] [--destinations 10000] [--rounds 3] [--commands 50000] [--rate 1000]
// [--prof folder]; without a part all of them. Prints one JSON object per line.
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { measureIsolation } from './actions/isolation.ts';
import { measureThroughput } from './actions/throughput.ts';

const parts = { throughput: measureThroughput, isolation: measureIsolation };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    destinations: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
    commands: { type: 'string', default: '50000' },
    rate: { type: 'string', default: '1000' },
    prof: { type: 'string' },
  },
});
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
const say = (line: object): void => {
  const load = Math.round(loadavg()[0]! * 10) / 10;
  process.stdout.write(
    `${JSON.stringify({ bench: 'actions', ...line, load, machine, date: new Date().toISOString() })}\n`,
  );
};
const options = {
  destinations: Number(values.destinations),
  rounds: Number(values.rounds),
  commands: Number(values.commands),
  rate: Number(values.rate),
  profileFolder: values.prof,
  say,
};
for (const [name, measure] of Object.entries(parts))
  if (positionals.length === 0 || positionals.includes(name)) await measure(options);
process.exit();
