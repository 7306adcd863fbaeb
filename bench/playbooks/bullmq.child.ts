// BullMQ beside the engine: so many jobs that do nothing, added and worked off on the same Redis, the ways its documentation calls fast.
//
// Invariant: every job is worked off once, or the process ends with an error. Jobs are added in bulk while the worker is at work,
// and vanish when they are done.
//
// Arguments: jobs, concurrency of the worker.
import { Queue, Worker } from 'bullmq';

export interface BullReport {
  readonly jobs: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssMb: number;
}

const [jobs = 0, concurrency = 100] = process.argv.slice(2).map(Number);
const { hostname, port, password } = new URL(process.env['REDIS_URL']!);
const connection = { host: hostname, port: Number(port), password, maxRetriesPerRequest: null };
const name = `bench-${process.pid}`;
const queue = new Queue(name, { connection });
let done = 0;
const all = Promise.withResolvers<void>();
const worker = new Worker(
  name,
  async () => {
    done += 1;
    if (done === jobs) all.resolve();
  },
  { connection, concurrency, removeOnComplete: { count: 0 } },
);
worker.on('failed', (_job, error) => all.reject(error));
worker.on('error', (error) => all.reject(error));
await queue.waitUntilReady();
await worker.waitUntilReady();

const cpu = process.cpuUsage();
const began = performance.now();
for (let from = 0; from < jobs; from += 1_000)
  await queue.addBulk(
    Array.from({ length: Math.min(1_000, jobs - from) }, (_, k) => ({
      name: 'step',
      data: { run: from + k },
      opts: { removeOnComplete: true },
    })),
  );
await all.promise;
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpu);
const report: BullReport = {
  jobs: done,
  seconds,
  cpuSeconds: (user + system) / 1e6,
  rssMb: Math.round(process.memoryUsage().rss / 1e6),
};
await worker.close();
await queue.obliterate({ force: true });
await queue.close();
process.send?.(report, () => process.exit(0));
