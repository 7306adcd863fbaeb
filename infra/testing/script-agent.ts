// The agent for tests: the service itself as a process, with folders, scripts and a token of its own, on 127.0.0.1 and a free port.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '@tocsin/local/home.ts';
import { freePort } from '@tocsin/local/ports.ts';
import type { ScriptAgent } from '@tocsin/schemas/types.ts';
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';

export const agentToken = 'test-agent-token-0123456789-abcdefghijkl';

export interface TestAgent {
  readonly folder: string;
  readonly port: number;
  readonly pid: number;
  /** Everything that it logged. */
  log(): string;
  /** SIGKILL, as a crash. */
  kill(): Promise<void>;
  /** SIGTERM. */
  stop(): Promise<void>;
}

/** Writes an executable script into the folder of scripts and returns its path. */
export function writeScript(folder: string, name: string, text: string, mode = 0o755): string {
  const scripts = join(folder, 'scripts');
  mkdirSync(scripts, { recursive: true, mode: 0o755 });
  const path = join(scripts, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** The file of an agent whose scripts are in `folder`/scripts. */
export function writeAgentConfig(folder: string, config: Partial<ScriptAgent>): string {
  mkdirSync(join(folder, 'scripts'), { recursive: true, mode: 0o755 });
  writeFileSync(join(folder, 'token'), `${agentToken}\n`, { mode: 0o600 });
  const file = join(folder, 'agent.json');
  const whole: Partial<ScriptAgent> = {
    token_file: 'token',
    state_dir: join(folder, 'state'),
    folders: [join(folder, 'scripts')],
    ...config,
  };
  writeFileSync(file, JSON.stringify(whole));
  return file;
}

/** Starts it and waits until it listens. Rejects with what it said when it does not. `port` that of one before. */
export async function startAgent(
  folder: string,
  config: Partial<ScriptAgent>,
  port?: number,
): Promise<TestAgent> {
  const own = port ?? (await freePort());
  const file = writeAgentConfig(folder, { listen: { host: '127.0.0.1', port: own }, ...config });
  const child: ChildProcess = spawn(
    process.execPath,
    [join(repository, 'services/agent/main.ts'), '--config', file],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '' } },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
  const exited = once(child, 'exit');
  const deadline = performance.now() + 20_000;
  while (!said.includes('"ready"')) {
    if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}: ${said}`);
    if (performance.now() > deadline) throw new Error(`the agent does not start: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  return {
    folder,
    port: own,
    pid: child.pid ?? 0,
    log: () => said,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}

/** The output of a script in its outcome. */
export const outputOf = (outcome: Outcome): Record<string, unknown> =>
  (outcome.output ?? {}) as Record<string, unknown>;

/** Lines of a file; none when there is no file. */
export const linesOf = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];

/** Resolves when it holds; rejects after 15 s with what `about` says. */
export async function eventually(holds: () => boolean, about: () => string = () => ''): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`it did not come: ${about()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
