// The agent: runs scripts of its own catalogue on the host it is installed on, for workers that it knows.

import { openJournal } from '@tocsin/adapters/script-agent/journal.ts';
import { createRuns } from '@tocsin/adapters/script-agent/runs.ts';
import { startAgentServer } from '@tocsin/adapters/script-agent/server.ts';
import { runService } from '@tocsin/adapters/service/run-service.ts';
import { tryLock } from '@tocsin/local/lock.ts';
import { type AgentSettings, readConfig } from './config.ts';

const hourMs = 3_600_000;

const settings = readOrEnd();
const { agent: config } = settings;

await runService(settings.service, async ({ logger, clock, signal, check, onStop }) => {
  for (const token of config.tokens) logger.registerSecret(token);
  // Two agents with one journal would each take the runs of the other for left behind.
  const lock = tryLock(`${config.stateDir}/agent.lock`);
  if ('heldBy' in lock)
    throw new Error(`${config.stateDir} is in use by the agent with process ${lock.heldBy}`);
  onStop(() => lock.release());
  const journal = openJournal(config.stateDir);
  const runs = createRuns({ config, journal, logger });
  onStop(() => runs.stop());
  const server = await startAgentServer({ config, runs, logger });
  onStop(() => server.close());
  check('runs', () => true);
  logger.info('agent listens', {
    address: `${config.tls === null ? 'http' : 'https'}://${config.listen.host}:${server.port}`,
    scripts: Object.keys(config.scripts),
    shell: config.allowShell,
  });
  void prune();

  async function prune(): Promise<void> {
    while (!signal.aborted) {
      const pruned = journal.prune(clock.now() - config.keepDays * 24 * hourMs);
      if (pruned > 0) logger.info('journal pruned', { runs: pruned });
      await clock.sleep(hourMs, signal).catch(() => undefined);
    }
  }
});

function readOrEnd(): AgentSettings {
  try {
    return readConfig(process.argv.slice(2));
  } catch (error) {
    // What is wrong with the file, without a stack that hides it.
    process.stderr.write(`agent: ${(error as Error).message}\n`);
    process.exit(2);
  }
}
