// Debian's OpenSSH server for tests: keys, configuration and port of its own, on 127.0.0.1; it lets the user of the tests in by a key.
//
// Surprise: where the package is missing it is installed, but only by root and where no init system would start a second daemon.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@tocsin/local/ports.ts';

const program = '/usr/sbin/sshd';

/** Makes sure that sshd and ssh-keygen are there. Throws one line that says what to run where they cannot be installed. */
export function needSshd(): void {
  if (existsSync(program)) return;
  const command = 'apt-get install -y --no-install-recommends openssh-server openssh-client';
  const mayInstall =
    process.getuid?.() === 0 && !existsSync('/run/systemd/system') && existsSync('/usr/bin/apt-get');
  if (mayInstall) {
    process.stderr.write('installing openssh-server\n');
    execFileSync('sh', ['-c', `apt-get update && ${command}`], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }
  if (!existsSync(program)) throw new Error(`sshd is needed for this test: run \`${command}\` as root.`);
}

export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** HOME of its sessions. */
  readonly home: string;
  /** Public host key, `type base64`. */
  readonly hostKey: string;
  /** Private key that it lets in. */
  readonly clientKey: string;
  log(): string;
  /** Ends all sessions with SIGKILL and keeps the server; what they started lives on. */
  killSessions(): void;
  stop(): Promise<void>;
}

/** A new key pair of this type, private key in OpenSSH's format. */
export function sshKey(
  folder: string,
  name: string,
  type = 'ed25519',
): { readonly key: string; readonly public: string } {
  const file = join(folder, name);
  if (!existsSync(file)) execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', '', '-f', file]);
  return { key: readFileSync(file, 'utf8'), public: readFileSync(`${file}.pub`, 'utf8').trim() };
}

/** Starts it with its files in `folder`. */
export async function startSshd(folder: string): Promise<Sshd> {
  needSshd();
  // Where privilege separation keeps its empty folder; its package makes it at boot.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const home = join(folder, 'home');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const host = sshKey(folder, 'host_ed25519');
  const client = sshKey(folder, 'client_ed25519');
  const port = await freePort();
  writeFileSync(join(folder, 'authorized_keys'), `${client.public}\n`, { mode: 0o600 });
  writeFileSync(
    join(folder, 'sshd_config'),
    `ListenAddress 127.0.0.1:${port}
HostKey ${join(folder, 'host_ed25519')}
AuthorizedKeysFile ${join(folder, 'authorized_keys')}
PidFile ${join(folder, 'sshd.pid')}
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
SetEnv HOME=${home}
`,
  );
  const child: ChildProcess = spawn(program, ['-D', '-e', '-f', join(folder, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const exited = once(child, 'exit');
  const deadline = performance.now() + 15_000;
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`sshd ended: ${said}`);
    if (performance.now() > deadline) throw new Error(`nobody listens on port ${port}: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { pid = 0 } = child;
  return {
    port,
    user: userInfo().username,
    home,
    hostKey: host.public,
    clientKey: client.key,
    log: () => said,
    killSessions() {
      for (const each of sessionsOf(pid)) kill(each);
    },
    async stop() {
      for (const each of sessionsOf(pid)) kill(each);
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Processes of sshd for its connections: of each a monitor, and under it the one that holds the connection. */
function sessionsOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .trim()
    .split(' ')
    .filter((each) => each !== '' && isSshd(each))
    .flatMap((each) => [...sessionsOf(Number(each)), Number(each)]);
}

/** The end of its child may have ended a monitor already. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function isSshd(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'sshd';
  } catch {
    return false;
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const banner = await Promise.race([
    once(socket, 'data').then(() => true),
    once(socket, 'close').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return banner;
}
