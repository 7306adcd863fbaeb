// ./tocsin up: servers and services in the foreground until Ctrl-C, SIGTERM or the death of a server.
// Invariant: it ends with nothing of ours running, in reverse order of the start; a second `up` on the same folder is refused.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tocsinHome } from '../home.ts';
import { tryLock } from '../lock.ts';
import { type Servers, type Services, startServers, startServices } from '../stack.ts';

export async function run(): Promise<number> {
  const home = tocsinHome();
  const lock = tryLock(join(home, 'up.lock'));
  if ('heldBy' in lock) {
    console.error(`tocsin: already running on ${home} (process ${lock.heldBy}); stop it there with Ctrl-C`);
    return 1;
  }
  const stop = stopRequest();
  let servers: Servers | undefined;
  let services: Services | undefined;
  try {
    const began = performance.now();
    const say = (line: string) => console.error(line);
    say('starting Kafka, Redis and PostgreSQL');
    servers = await startServers({ home, standardPorts: true, say });
    if (stop.requested()) return 0;
    say('starting the services');
    services = await startServices({ home, servers: servers.env, standardPorts: true, say });
    const how = await Promise.race([services.healthy(60_000).then(() => 'healthy' as const), stop.promise]);
    if (how !== 'healthy') return 0;
    printTable(home, servers, services);
    console.log(
      `\nAll healthy after ${((performance.now() - began) / 1000).toFixed(1)} s. Ctrl-C stops everything.`,
    );
    const end = await Promise.race([stop.promise, servers.died]);
    if (end === 'SIGINT' || end === 'SIGTERM' || end === 'SIGHUP') return 0;
    console.error(`tocsin: ${end}`);
    return 1;
  } finally {
    console.error('stopping');
    await services?.stop();
    await servers?.stop();
    lock.release();
    stop.dispose();
  }
}

// The first signal asks for a clean stop; the third is for the impatient: the guards end the children.
function stopRequest() {
  let count = 0;
  let resolve: (signal: string) => void = () => {};
  const promise = new Promise<string>((settle) => {
    resolve = settle;
  });
  const onSignal = (signal: NodeJS.Signals) => {
    count += 1;
    if (count === 3) process.exit(130);
    resolve(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    promise,
    requested: () => count > 0,
    dispose: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

function printTable(home: string, servers: Servers, services: Services): void {
  const api = services.urls['config-api'];
  const rows: [string, string][] = [];
  const origin = (name: keyof Servers['env']) => (servers.given.includes(name) ? ` (from ${name})` : '');
  rows.push(['Kafka', servers.env.KAFKA_BROKERS + origin('KAFKA_BROKERS')]);
  rows.push(['Redis', withoutPassword(servers.env.REDIS_URL) + origin('REDIS_URL')]);
  rows.push(['PostgreSQL', withoutPassword(servers.env.DATABASE_URL) + origin('DATABASE_URL')]);
  if (api !== undefined) rows.push(['config API', `${api} (documentation: ${api}/docs)`]);
  for (const [name, url] of Object.entries(services.healthUrls))
    rows.push([name, `${url}/health ${url}/metrics`]);
  rows.push(['logs', join(home, 'logs')]);
  const environment = join(home, 'env');
  const lines = Object.entries(servers.env).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`,
  );
  writeFileSync(environment, `${lines.join('\n')}\n`, { mode: 0o600 });
  rows.push(['with passwords', `. '${environment}'`]);
  if (existsSync(services.firstKeyFile)) {
    rows.push(['first API key', `${readFileSync(services.firstKeyFile, 'utf8').trim()}`]);
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  console.log('');
  for (const [name, value] of rows) console.log(`  ${name.padEnd(width)}  ${value}`);
}

/** The URL with `***` in place of its password. */
export function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    if (parsed.password !== '') parsed.password = '***';
    return parsed.href;
  } catch {
    return url.replace(/:[^:@/]+@/, ':***@');
  }
}
