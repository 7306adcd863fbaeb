// Commands per second with all destinations and with one, then the time from command to request at a rate that is held.
import { percentiles } from '../rules/percentiles.ts';
import { type PartOptions, rounded } from './options.ts';
import { type Round, startStage } from './stage.ts';

const target = 5_000;
const latencySeconds = 10;

function figures(round: Round): object {
  const { received, seconds, cpu } = round;
  return {
    requests: received,
    seconds: rounded(seconds),
    per_second: Math.round(received / seconds),
    per_worker_cpu_second: Math.round(received / cpu.worker),
    cpu_seconds: Object.fromEntries(
      Object.entries({ ...cpu, driver: round.cpuSeconds }).map(([name, used]) => [name, rounded(used)]),
    ),
    rss_mb: round.rssMb,
    connections: round.connections,
  };
}

export async function measureThroughput(options: PartOptions): Promise<void> {
  const { destinations, rounds, commands, say, profileFolder } = options;
  const stage = await startStage({ destinations, connection: { concurrency: 64 }, profileFolder });
  let from = 0;
  const play = async (count: number, among: number, rate: number): Promise<Round> => {
    const round = await stage.round({ from, count, first: 0, among, rate });
    from += count;
    if (round.received !== count || round.duplicates > 0) process.exitCode = 1;
    return round;
  };
  try {
    say({ part: 'start', destinations, rss_mb: stage.rssMb() });
    for (const among of destinations === 1 ? [1] : [destinations, 1]) {
      // The first request of each destination opens its connection.
      await play(Math.max(20_000, 2 * among), among, 0);
      const rates: number[] = [];
      for (let n = 1; n <= rounds; n++) {
        const round = await play(commands, among, 0);
        rates.push(Math.round(round.received / round.seconds));
        say({ part: 'throughput', destinations: among, round: n, ...figures(round) });
      }
      const best = Math.max(...rates);
      say({
        part: 'throughput',
        destinations: among,
        spread_per_second: [Math.min(...rates), best],
        target: { perSecond: target, met: best >= target },
      });
      for (const rate of [1_000, target / 2]) {
        const round = await play(rate * latencySeconds, among, rate);
        const command_to_request_ms = percentiles(round.latenciesMs);
        say({ part: 'latency', destinations: among, rate, ...figures(round), command_to_request_ms });
      }
    }
  } finally {
    await stage.stop();
  }
}
