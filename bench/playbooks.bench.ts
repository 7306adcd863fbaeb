// `bench playbooks`: transitions per second of one engine process, start to first command, timers, restart and rebuild, on embedded
// servers on the same machine, and BullMQ doing as many jobs that do nothing on the same Redis.
//
// Invariant: a transition is one applied input that changes a step, counted in the changelog afterwards; a run with another number,
// or with a command twice, is void (exit code 1). Engine and BullMQ take turns.
//
// Usage: node bench/playbooks.bench.ts [throughput] [timers] [live] [--rounds 3] [--runs 10000] [--live 100000] [--prof folder];
// without a part all of them. Prints one JSON object per line.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { measureLive } from './playbooks/live.ts';
import { measureThroughput } from './playbooks/throughput.ts';
import { measureTimers } from './playbooks/timers.ts';

const parts = { throughput: measureThroughput, timers: measureTimers, live: measureLive };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    runs: { type: 'string', default: '10000' },
    live: { type: 'string', default: '100000' },
    prof: { type: 'string' },
  },
});
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
const say = (line: object): void =>
  void process.stdout.write(
    `${JSON.stringify({ bench: 'playbooks', ...line, machine, date: new Date().toISOString() })}\n`,
  );
const options = {
  rounds: Number(values.rounds),
  runs: Number(values.runs),
  live: Number(values.live),
  profileFolder: values.prof,
  say,
};
for (const [name, measure] of Object.entries(parts))
  if (positionals.length === 0 || positionals.includes(name)) await measure(options);
