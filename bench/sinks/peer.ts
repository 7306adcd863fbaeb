// The peer of drive.ts: built by Go once, kept in the local cache, run beside the sink on the same topic and receiver.
// Invariant: the program in the cache is complete or absent.
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tocsinHome } from '@tocsin/local/home.ts';

const folder = fileURLToPath(new URL('./peer', import.meta.url));

/** `fast` concatenates texts; `parse` parses each event, as the peer's own output does. */
export type PeerMapping = 'fast' | 'parse';

export interface PeerPlan {
  readonly brokers: string;
  readonly topic: string;
  readonly url: string;
  readonly events: number;
  readonly gzip: boolean;
}

export interface PeerRound {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssMb: number;
}

/** The program; built first when it is not there, which takes a minute. Needs Go and its modules then. */
export function peerProgram(say: (line: string) => void): string {
  const digest = createHash('sha256');
  for (const name of readdirSync(folder).sort()) digest.update(readFileSync(join(folder, name)));
  const cache = join(tocsinHome(), 'cache');
  const program = join(cache, `sink-peer-${digest.digest('hex').slice(0, 12)}`);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  say('building the peer with Go (once, a minute)');
  const staging = `${program}.${process.pid}`;
  const run = spawnSync('go', ['build', '-trimpath', '-o', staging, '.'], { cwd: folder, encoding: 'utf8' });
  if ((run.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    throw new Error('Go is needed for the peer of this benchmark, and go was not found');
  if (run.status !== 0)
    throw new Error(`go build failed: ${run.stderr.trim().split('\n').slice(-5).join('\n')}`);
  renameSync(staging, program);
  return program;
}

/** One round in a process of its own; rejects when that ends without a result. */
export async function runPeer(
  program: string,
  plan: PeerPlan,
  mapping: PeerMapping,
  group: string,
): Promise<PeerRound> {
  const { brokers, topic, url, events, gzip } = plan;
  const args = [brokers, topic, group, url, String(events), mapping, gzip ? 'gzip' : 'plain'];
  const { stdout } = await promisify(execFile)(program, args, { timeout: 600_000 });
  return JSON.parse(stdout) as PeerRound;
}
