// The systems around Tocsin in the demo, as programs of their own that know nothing of it: a producer of findings and a scanner.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { repository } from '../home.ts';

function start(file: string, brokers: string): ChildProcess {
  const path = join(repository, 'docs/examples/producer', file);
  return spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', path], {
    env: { ...process.env, KAFKA_BROKERS: brokers, KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Publishes all findings; rejects when the producer fails. */
export async function publish(brokers: string): Promise<void> {
  const [code] = (await once(start('publish.mjs', brokers), 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the example producer ended with code ${code}`);
}

/** A scanner that answers scan requests until it is stopped. */
export function startScanner(brokers: string): { stop(): Promise<void> } {
  const child = start('scanner.mjs', brokers);
  const ended = once(child, 'exit');
  return {
    async stop() {
      if (child.exitCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}
