// How long an engine takes to be back with many live runs: after a stop, after a kill, and after Redis lost everything.
//
// Invariant: ready is when all partitions are claimed, rebuilt where necessary, and their timers read, from the start of the
// process; afterwards a new run is played to its end, so that ready means able to work.
import { connectRedis } from '@tocsin/adapters/redis/connect.ts';
import { fakeLogger } from '@tocsin/topologies/ports/fakes/logger.ts';
import { type PartOptions, rounded } from './options.ts';
import { type Engine, type Stage, startStage } from './stage.ts';

async function comesBack(stage: Stage, how: string, limit: number, options: PartOptions): Promise<Engine> {
  const engine = await stage.engine();
  const usage = await engine.usage();
  const one = await stage.drive({ prefix: `${how}-`, runs: 1, atATime: 1 });
  options.say({
    part: how,
    live_runs: options.live,
    ready_seconds: rounded(engine.readySeconds),
    cpu_seconds: rounded(usage.cpuSeconds),
    first_run_after_that_seconds: rounded(one.seconds),
    rss_mb: usage.rssMb,
    target: { readySeconds: limit, met: engine.readySeconds < limit },
  });
  return engine;
}

export async function measureLive(options: PartOptions): Promise<void> {
  const stage = await startStage('live');
  const redis = connectRedis({ url: stage.redisUrl, name: 'bench', logger: fakeLogger() });
  try {
    const first = await stage.engine();
    const parked = await stage.drive({
      prefix: 'live-',
      runs: options.live,
      atATime: 5_000,
      silentStep: 'ticket',
    });
    const memory = /used_memory:(\d+)/.exec(await redis.info('memory'))?.[1];
    const usage = await first.usage();
    options.say({
      part: 'live',
      live_runs: options.live,
      seconds: rounded(parked.seconds),
      engine_rss_mb: usage.rssMb,
      engine_heap_mb: usage.heapMb,
      redis_mb: Math.round(Number(memory) / 1e6),
    });
    await first.stop();
    const second = await comesBack(stage, 'restart', 15, options);
    await second.kill();
    const third = await comesBack(stage, 'restart-after-kill', 15, options);
    await third.stop();
    await redis.flushall();
    const fourth = await comesBack(stage, 'rebuild', 60, options);
    await fourth.stop();
  } finally {
    redis.disconnect();
    await stage.stop();
  }
}
