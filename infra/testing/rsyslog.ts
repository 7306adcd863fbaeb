// Debian's rsyslog as a receiver for tests: configuration, pid file and output of its own, on 127.0.0.1 and free ports.
//
// Invariant: the output file holds each message exactly as it was received, a line feed after it, written before the next is read.
// Surprise: where the packages are missing they are installed, but only by root and where no init system would start a second daemon.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '@tocsin/local/ports.ts';
import type { Authority } from './certificates.ts';

const packages = ['rsyslog', 'rsyslog-gnutls', 'rsyslog-relp', 'liblognorm-utils'];
const needed = [
  '/usr/sbin/rsyslogd',
  '/usr/lib/*/rsyslog/lmnsd_gtls.so',
  '/usr/lib/*/rsyslog/imrelp.so',
  '/usr/bin/lognormalizer',
];

/** Makes sure that rsyslog and liblognorm are there. Throws one line that says what to run where they cannot be installed. */
export function needRsyslog(): void {
  const missing = (): boolean => {
    try {
      execFileSync('sh', ['-c', `ls ${needed.join(' ')}`], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  };
  if (!missing()) return;
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  const mayInstall =
    process.getuid?.() === 0 && !existsSync('/run/systemd/system') && existsSync('/usr/bin/apt-get');
  if (mayInstall) {
    process.stderr.write(`installing ${packages.join(', ')}\n`);
    execFileSync('sh', ['-c', `apt-get update && ${command}`], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }
  if (missing()) throw new Error(`rsyslog is needed for this test: run \`${command}\` as root.`);
}

export interface Rsyslog {
  readonly ports: {
    readonly tcp: number;
    readonly tls: number;
    readonly relp: number;
    readonly relpTls: number;
    readonly udp: number;
  };
  /** Everything received so far. */
  read(): Buffer;
  /** The daemon's own messages. */
  complaints(): string;
  /** SIGKILL. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it in `folder`, on the ports of `again` if given. Messages are written in the thread that received them. */
export async function startRsyslog(
  folder: string,
  authority: Authority,
  again?: Rsyslog['ports'],
): Promise<Rsyslog> {
  needRsyslog();
  const ports = again ?? {
    tcp: await freePort(),
    tls: await freePort(),
    relp: await freePort(),
    relpTls: await freePort(),
    udp: await freePort(),
  };
  const file = (name: string): string => join(folder, name);
  const { cert, key } = authority.issue(['IP:127.0.0.1', 'DNS:siem.example']);
  writeFileSync(file('ca.pem'), authority.cert);
  writeFileSync(file('cert.pem'), cert);
  writeFileSync(file('key.pem'), key);
  const gtls = 'StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid"';
  writeFileSync(
    file('rsyslog.conf'),
    `global(workDirectory="${folder}" maxMessageSize="128k"
  parser.escapeControlCharactersOnReceive="off" parser.escapeControlCharacterTab="off" net.enableDNS="off"
  defaultNetstreamDriverCAFile="${file('ca.pem')}" defaultNetstreamDriverCertFile="${file('cert.pem')}"
  defaultNetstreamDriverKeyFile="${file('key.pem')}")
main_queue(queue.type="Direct")
module(load="imtcp" maxSessions="500")
module(load="imudp")
module(load="imrelp")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="keep" queue.type="Direct") {
  action(type="omfile" file="${file('received.log')}" template="raw" asyncWriting="off" flushOnTXEnd="on")
}
input(type="imtcp" address="127.0.0.1" port="${ports.tcp}" ruleset="keep")
input(type="imtcp" address="127.0.0.1" port="${ports.tls}" ruleset="keep" ${gtls})
input(type="imrelp" address="127.0.0.1" port="${ports.relp}" ruleset="keep" maxDataSize="128k")
input(type="imrelp" address="127.0.0.1" port="${ports.relpTls}" ruleset="keep" maxDataSize="128k" tls="on"
  tls.authMode="certvalid" tls.caCert="${file('ca.pem')}" tls.myCert="${file('cert.pem')}" tls.myPrivKey="${file('key.pem')}")
input(type="imudp" address="127.0.0.1" port="${ports.udp}" ruleset="keep")
syslog.* action(type="omfile" file="${file('own.log')}")
`,
  );
  const child: ChildProcess = spawn(
    '/usr/sbin/rsyslogd',
    ['-n', '-f', file('rsyslog.conf'), '-i', file('rsyslogd.pid')],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const exited = once(child, 'exit');
  const complaints = (): string =>
    said + (existsSync(file('own.log')) ? readFileSync(file('own.log'), 'utf8') : '');
  for (const port of [ports.tcp, ports.tls, ports.relp, ports.relpTls])
    await untilListening(port, () => {
      if (child.exitCode !== null) throw new Error(`rsyslogd ended: ${complaints()}`);
    });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  return {
    ports,
    read: () => (existsSync(file('received.log')) ? readFileSync(file('received.log')) : Buffer.alloc(0)),
    complaints,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}

/** Waits until somebody accepts connections on a port of 127.0.0.1; `check` throws when nobody ever will. */
export async function untilListening(port: number, check: () => void): Promise<void> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    check();
    const socket = connect(port, '127.0.0.1');
    const connected = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (connected) return;
    if (performance.now() > deadline) throw new Error(`nobody listens on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export interface NormalizedCef {
  readonly DeviceVendor: string;
  readonly SignatureID: string;
  readonly Name: string;
  readonly Severity: string;
  readonly Extensions: Readonly<Record<string, string>>;
}

/** CEF lines as liblognorm reads them; null for a line that it refuses. */
export function normalizeCef(folder: string, lines: readonly string[]): (NormalizedCef | null)[] {
  needRsyslog();
  const rulebase = join(folder, 'cef.rb');
  writeFileSync(rulebase, 'version=2\nrule=:%f:cef%\n');
  // It takes the first extension to begin after a space, which the standard allows and does not ask for.
  const input = lines
    .map((line) => `${line.replace(/^((?:\\.|[^|\\])*(?:\|(?:\\.|[^|\\])*){6}\|)/, '$1 ')}\n`)
    .join('');
  const output = execFileSync('/usr/bin/lognormalizer', ['-r', rulebase], {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return output
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { f?: NormalizedCef }).f ?? null);
}
