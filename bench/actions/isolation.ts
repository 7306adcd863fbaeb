// What one bad destination costs the others: rounds with and without it in turn, p99 of those that behave.
//
// Invariant: the bad destination's requests are never counted, and every round sends it the same share, so that rounds differ in
// nothing but how it behaves.
// Surprise: it stays bad: what waits for it would come all at once in the next round. Each bad round has one of its own.
import { percentiles } from '../rules/percentiles.ts';
import { type PartOptions, rounded } from './options.ts';
import type { Behaviour } from './receiver.child.ts';
import { startStage } from './stage.ts';

const destinations = 100;
/** Every so many-th command is for the destination apart. */
const every = 10;
const seconds = 20;
const bad: readonly Behaviour[] = ['hang', 'fail'];

export async function measureIsolation({ rounds, rate, say, profileFolder }: PartOptions): Promise<void> {
  const badRounds = rounds * bad.length;
  // One that behaves for the rounds between, and one for each bad round.
  const apart = destinations;
  const stage = await startStage({ destinations: destinations + 1 + badRounds, profileFolder });
  let from = 0;
  const play = async (behaviour: Behaviour, destination: number): Promise<number> => {
    stage.behave(destination, behaviour);
    const count = rate * seconds;
    const plan = { from, count, first: 0, among: destinations, rate, every, apart: destination };
    from += count;
    const round = await stage.round(plan, behaviour === 'answer' ? count : count - Math.ceil(count / every));
    if (round.duplicates > 0) process.exitCode = 1;
    const latency = percentiles(round.latenciesMs);
    say({
      part: 'isolation',
      destination_apart: behaviour,
      rate,
      requests_of_others: round.latenciesMs.length,
      command_to_request_ms: latency,
      worker_cpu_seconds: rounded(round.cpu.worker),
      rss_mb: round.rssMb,
    });
    return latency.p99;
  };
  try {
    await play('answer', apart);
    let before = await play('answer', apart);
    const ratios = new Map<Behaviour, number[]>(bad.map((behaviour) => [behaviour, []]));
    let next = apart + 1;
    for (let n = 0; n < rounds; n++)
      for (const behaviour of bad) {
        const during = await play(behaviour, next++);
        const after = await play('answer', apart);
        ratios.get(behaviour)!.push(during / ((before + after) / 2));
        before = after;
      }
    for (const [behaviour, all] of ratios) {
      const sorted = [...all].sort((a, b) => a - b);
      const middle = sorted[sorted.length >> 1]!;
      say({
        part: 'isolation',
        destination_apart: behaviour,
        p99_ratio: { median: rounded(middle), all: sorted.map((each) => rounded(each)) },
        target: { p99Ratio: 1.2, met: middle <= 1.2 },
      });
    }
  } finally {
    await stage.stop();
  }
}
