// Debian's syslog-ng as a second receiver for tests: configuration, pid file and output of its own, on 127.0.0.1 and free ports.
//
// Invariant: the package is unpacked into the cache and never installed: installing it would remove rsyslog, with which it conflicts.
// Surprise: it writes in a thread of its own, so that what is delivered may be in the file a moment later.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@tocsin/local/ports.ts';
import { cachedFolder } from './cache.ts';
import type { Authority } from './certificates.ts';
import { untilListening } from './rsyslog.ts';

/** syslog-ng, and those of its libraries that a Debian without it lacks. */
const packages = ['syslog-ng-core', 'libivykis0', 'libnet1', 'libwrap0', 'libpcre3'];

/** The folder that holds the unpacked packages. Throws one line that says what is needed where they cannot be fetched. */
async function syslogNgRoot(): Promise<string> {
  return await cachedFolder('syslog-ng', (folder) => {
    const shell = (command: string): void =>
      void execFileSync('sh', ['-c', command], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    const download = `apt-get download ${packages.join(' ')}`;
    try {
      try {
        shell(download);
      } catch (error) {
        // Lists of packages that are missing or old; only root may write them.
        if (process.getuid?.() !== 0) throw error;
        shell(`apt-get update && ${download}`);
      }
      shell('for package in *.deb; do dpkg-deb -x "$package" . && rm "$package"; done');
    } catch (error) {
      const said = String((error as { stderr?: Buffer }).stderr ?? error)
        .trim()
        .split('\n')
        .at(-1);
      throw new Error(
        `syslog-ng is needed for this test, from a Debian 12 where \`${download}\` works (it installs nothing): ${said}`,
      );
    }
  });
}

export interface SyslogNg {
  readonly ports: { readonly tcp: number; readonly lf: number; readonly tls: number; readonly udp: number };
  /** Everything received so far as it was on the wire, a line feed after each message. */
  read(): Buffer;
  /** The same messages as it understood them. */
  parsed(): ParsedMessage[];
  complaints(): string;
  stop(): Promise<void>;
}

/** What syslog-ng's RFC 5424 parser made of one message. */
export interface ParsedMessage {
  /** facility * 8 + severity. */
  readonly pri: string;
  readonly host: string;
  readonly app: string;
  readonly msgid: string;
  /** The parameter `id` of the element soc@32473, without its escapes. */
  readonly id: string;
  readonly message: string;
}

const fields = ['PRI', 'HOST', 'PROGRAM', 'MSGID', '.SDATA.soc@32473.id', 'MSG'];

/** Starts it in `folder`. Over TLS clients need a certificate of `authority`, unless `clients` is 'any'. */
export async function startSyslogNg(
  folder: string,
  authority: Authority,
  clients: 'certified' | 'any' = 'certified',
): Promise<SyslogNg> {
  const root = await syslogNgRoot();
  const libraries = join(root, 'usr/lib/syslog-ng');
  const modules = join(libraries, readdirSync(libraries).find((name) => /^\d+\.\d+$/.test(name)) ?? '');
  const multiarch = ['usr/lib', 'lib'].flatMap((at) =>
    existsSync(join(root, at))
      ? readdirSync(join(root, at))
          .filter((name) => name.endsWith('-linux-gnu'))
          .map((name) => join(root, at, name))
      : [],
  );
  const ports = {
    tcp: await freePort(),
    lf: await freePort(),
    tls: await freePort(),
    udp: await freePort(),
  };
  const file = (name: string): string => join(folder, name);
  const { cert, key } = authority.issue(['IP:127.0.0.1']);
  writeFileSync(file('ca.pem'), authority.cert);
  writeFileSync(file('cert.pem'), cert);
  writeFileSync(file('key.pem'), key);
  const input = (driver: string, port: number, transport: string, more = ''): string =>
    `${driver}(ip("127.0.0.1") port(${port}) transport("${transport}") flags(store-raw-message, syslog-protocol) ${more});`;
  const stream = 'max-connections(100) log-iw-size(10000)';
  writeFileSync(
    file('syslog-ng.conf'),
    `@version: 3.35
options { log-msg-size(131072); keep-hostname(yes); use-dns(no); dns-cache(no); stats-freq(0); };
source all {
  ${input('syslog', ports.tcp, 'tcp', stream)}
  ${input('network', ports.lf, 'tcp', stream)}
  ${input('syslog', ports.tls, 'tls', `${stream} tls(key-file("${file('key.pem')}") cert-file("${file('cert.pem')}") ca-file("${file('ca.pem')}") peer-verify(${clients === 'any' ? 'optional-untrusted' : 'required-trusted'}))`)}
  ${input('network', ports.udp, 'udp', 'so-rcvbuf(4194304)')}
};
destination raw { file("${file('received.log')}" template("\${RAWMSG}\\n")); };
destination parsed { file("${file('parsed.log')}" template("${fields.map((name) => `\${${name}}`).join('\\x1f')}\\n")); };
log { source(all); destination(raw); destination(parsed); flags(flow-control); };
`,
  );
  const child: ChildProcess = spawn(
    join(root, 'usr/sbin/syslog-ng'),
    [
      ...['-F', '--no-caps', '-f', file('syslog-ng.conf'), '-p', file('pid'), '-c', file('control')],
      ...['-R', file('persist'), `--module-path=${modules}`],
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LD_LIBRARY_PATH: [libraries, modules, ...multiarch].join(':') },
    },
  );
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const exited = once(child, 'exit');
  for (const port of [ports.tcp, ports.lf, ports.tls])
    await untilListening(port, () => {
      if (child.exitCode !== null) throw new Error(`syslog-ng ended: ${said}`);
    });
  const content = (name: string): Buffer =>
    existsSync(file(name)) ? readFileSync(file(name)) : Buffer.alloc(0);
  return {
    ports,
    read: () => content('received.log'),
    parsed: () =>
      content('parsed.log')
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => {
          const [pri = '', host = '', app = '', msgid = '', id = '', message = ''] = line.split('\x1f');
          return { pri, host, app, msgid, id, message };
        }),
    complaints: () => said,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}
