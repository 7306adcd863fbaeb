// The bash launcher against made-up machines: a PATH that holds only what the case says, and a checkout at a path with a space.
// What npm would install is one fake Node that prints its arguments, so that a run takes milliseconds.
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { repository } from './home.ts';

const scratch = scratchFolder('launcher');
afterAll(() => scratch.remove());

const TOOLS = [
  'bash',
  'sed',
  'head',
  'dirname',
  'readlink',
  'cksum',
  'uname',
  'tar',
  'id',
  'cat',
  'mkdir',
  'rm',
  'sleep',
  'flock',
  'env',
];

let machine: string;
let checkout: string;
let bin: string;
let count = 0;

function program(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

const javaPrints = (version: string) => program('java', `echo 'openjdk version "${version}" 2025-04-15' >&2`);

// The fake npm counts its runs, takes a moment (so that two at once would overlap) and leaves a Node that prints what it was given.
const NPM = `[ "$1" = --version ] && echo 11.0.0 && exit
echo "run cache=$npm_config_cache" >> ../npm-runs
sleep 0.1
mkdir -p node_modules/.bin
printf '#!/bin/sh\\n[ "$1" = --version ] && echo v24.21.0 && exit\\nfor a; do printf "<%%s>" "$a"; done\\n' > node_modules/.bin/node
chmod 755 node_modules/.bin/node`;

beforeEach(() => {
  count += 1;
  machine = join(scratch.path, `machine ${count}`);
  checkout = join(machine, 'a check out');
  bin = join(machine, 'bin');
  mkdirSync(join(checkout, 'infra/local'), { recursive: true });
  mkdirSync(bin);
  mkdirSync(join(machine, 'home'));
  copyFileSync(join(repository, 'tocsin'), join(checkout, 'tocsin'));
  writeFileSync(join(checkout, 'package-lock.json'), '{}');
  for (const tool of TOOLS) {
    const found = spawnSync('/bin/sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
    if (found !== '') symlinkSync(found, join(bin, tool));
  }
  program('chmod', 'exec /bin/chmod "$@"');
  program('node', 'echo v20.20.2');
  program('npm', NPM);
  program('mvn', 'true');
  javaPrints('17.0.15');
});

const environment = (extra: NodeJS.ProcessEnv = {}) => ({
  PATH: bin,
  HOME: join(machine, 'home'),
  TOCSIN_JVM_FOLDERS: '',
  ...extra,
});

function launch(
  args: string[],
  extra?: NodeJS.ProcessEnv,
  path = join(checkout, 'tocsin'),
): SpawnSyncReturns<string> {
  return spawnSync(join(bin, 'bash'), [path, ...args], {
    cwd: '/',
    encoding: 'utf8',
    env: environment(extra),
  });
}

const npmRuns = () => {
  const file = join(machine, 'npm-runs');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};

const ran = (...args: string[]) =>
  [join(checkout, 'infra/local/cli.ts'), ...args].map((arg) => `<${arg}>`).join('');

describe('what is missing is one line', () => {
  const remove = (name: string) => rmSync(join(bin, name));
  it.each<[string, () => void, string[], RegExp]>([
    [
      'no Java',
      () => remove('java'),
      ['up'],
      /^tocsin: Java 17 or newer is needed \(found: none\): install it .*\n$/,
    ],
    [
      'Java 11',
      () => javaPrints('11.0.22'),
      ['test'],
      /^tocsin: Java 17 or newer is needed \(found: 11\.0\.22\): install it .*\n$/,
    ],
    [
      'Java 8',
      () => javaPrints('1.8.0_402'),
      ['demo'],
      /^tocsin: Java 17 or newer is needed \(found: 1\.8\.0_402\): .*\n$/,
    ],
    ['no Maven', () => remove('mvn'), ['up'], /^tocsin: Maven is needed once .*: install it .*\n$/],
    ['no npm', () => remove('npm'), ['up'], /^tocsin: npm 10 or newer is needed: install it .*\n$/],
    [
      'old npm',
      () => program('npm', 'echo 8.19.4'),
      ['up'],
      /^tocsin: npm 10 or newer is needed, this is 8\.19\.4: .*\n$/,
    ],
    ['no Node', () => remove('node'), ['help'], /^tocsin: Node\.js 20 or newer with npm is needed: .*\n$/],
    [
      'Node 18',
      () => program('node', 'echo v18.20.4'),
      ['help'],
      /^tocsin: Node\.js 20 or newer is needed, this is 18\.20\.4: .*\n$/,
    ],
    ['no tar', () => remove('tar'), ['help'], /^tocsin: tar is needed: install it .*\n$/],
  ])('%s', (_, spoil, args, message) => {
    spoil();
    const run = launch(args);
    expect(run.stderr).toMatch(message);
    expect(run.status).toBe(1);
    expect(npmRuns()).toEqual([]);
  });

  it('asks for a newer Node where the packages bring none', () => {
    program('npm', '[ "$1" = --version ] && echo 11.0.0 && exit\nmkdir -p node_modules');
    const run = launch(['help']);
    expect(run.stderr).toMatch(/Node\.js 22\.22 or newer is needed, this is 20\.20\.2/);
    program('node', '[ "$1" = --version ] && echo v22.22.0 && exit\necho "$@"');
    expect(launch(['help']).stdout).toContain('cli.ts help');
  });

  it('wants neither Java nor Maven for other servers, or for commands without servers', () => {
    rmSync(join(bin, 'java'));
    rmSync(join(bin, 'mvn'));
    const given = { KAFKA_BROKERS: 'a:1', REDIS_URL: 'redis://b', DATABASE_URL: 'postgres://c' };
    expect(launch(['up'], given).stdout).toBe(ran('up'));
    expect(launch(['help']).stdout).toBe(ran('help'));
    expect(launch(['up'], { ...given, REDIS_URL: '' }).stderr).toContain('Java 17');
  });

  it('wants no Maven once the cache is there', () => {
    rmSync(join(bin, 'mvn'));
    mkdirSync(join(checkout, '.tocsin/cache/kafka-1'), { recursive: true });
    writeFileSync(join(checkout, '.tocsin/cache/kafka-1/complete.json'), '{}');
    expect(launch(['up']).stdout).toBe(ran('up'));
  });

  it('finds a Java that is not on PATH', () => {
    rmSync(join(bin, 'java'));
    const folder = join(machine, 'jvm folder/java-21/bin');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'java'), `#!/bin/sh\necho 'openjdk version "21" 2023-09-19' >&2\n`);
    chmodSync(join(folder, 'java'), 0o755);
    expect(launch(['up'], { TOCSIN_JVM_FOLDERS: join(machine, 'jvm folder') }).stdout).toBe(ran('up'));
    expect(launch(['up'], { JAVA_HOME: join(folder, '..') }).stdout).toBe(ran('up'));
  });
});

describe('installation', () => {
  it('runs npm once, again when the lock file changes, and passes arguments as they are', () => {
    const args = ['bench', 'two words', '*', ''];
    expect(launch(args).stdout).toBe(ran(...args));
    expect(launch(args).stderr).toBe('');
    expect(npmRuns()).toHaveLength(1);
    appendFileSync(join(checkout, 'package-lock.json'), '\n');
    launch(['help']);
    expect(npmRuns()).toHaveLength(2);
  });

  it('accepts packages that somebody installed by hand', () => {
    mkdirSync(join(checkout, 'node_modules/.bin'), { recursive: true });
    writeFileSync(join(checkout, 'node_modules/.bin/node'), '#!/bin/sh\necho v24.21.0\n');
    chmodSync(join(checkout, 'node_modules/.bin/node'), 0o755);
    spawnSync('touch', ['-d', '2020-01-01', join(checkout, 'package-lock.json')]);
    writeFileSync(join(checkout, 'node_modules/.package-lock.json'), '{}');
    expect(launch(['help']).status).toBe(0);
    expect(npmRuns()).toEqual([]);
  });

  it('installs once for two that start together', async () => {
    const one = () =>
      new Promise<string>((resolve) => {
        const child = spawn(join(bin, 'bash'), [join(checkout, 'tocsin'), 'help'], { env: environment() });
        let out = '';
        child.stdout.on('data', (chunk) => {
          out += String(chunk);
        });
        child.once('close', () => resolve(out));
      });
    expect(await Promise.all([one(), one(), one()])).toEqual([ran('help'), ran('help'), ran('help')]);
    expect(npmRuns()).toHaveLength(1);
  });

  it('does so too without flock', async () => {
    rmSync(join(bin, 'flock'), { force: true });
    mkdirSync(join(checkout, '.tocsin/install.lock.d'), { recursive: true });
    const { pid } = spawnSync('/bin/sh', ['-c', 'exit']);
    writeFileSync(join(checkout, '.tocsin/install.lock.d/pid'), String(pid));
    expect(launch(['help']).stdout).toBe(ran('help'));
    expect(npmRuns()).toHaveLength(1);
    expect(existsSync(join(checkout, '.tocsin/install.lock.d'))).toBe(false);
  });

  it('says when npm fails and tries again the next time', () => {
    program('npm', '[ "$1" = --version ] && echo 11.0.0 && exit\necho ENOTFOUND >&2; exit 1');
    const run = launch(['help']);
    expect(run.stderr).toMatch(/ENOTFOUND\ntocsin: npm ci failed \(see above\)/);
    expect(run.status).toBe(1);
    program('npm', NPM);
    expect(launch(['help']).stdout).toBe(ran('help'));
  });

  it('works through symbolic links, and with TOCSIN_HOME elsewhere', () => {
    symlinkSync(join(checkout, 'tocsin'), join(machine, 'absolute'));
    symlinkSync('absolute', join(machine, 'relative'));
    expect(
      launch(['help'], { TOCSIN_HOME: join(machine, 'else where') }, join(machine, 'relative')).stdout,
    ).toBe(ran('help'));
    expect(existsSync(join(machine, 'else where/install.lock'))).toBe(true);
    expect(existsSync(join(checkout, '.tocsin'))).toBe(false);
  });

  it('keeps npm out of the current folder when HOME is empty', () => {
    const env: NodeJS.ProcessEnv = environment({ HOME: '' });
    const run = spawnSync(join(bin, 'bash'), [join(checkout, 'tocsin'), 'help'], {
      cwd: '/',
      encoding: 'utf8',
      env,
    });
    expect(run.stdout).toBe(ran('help'));
  });

  it('gives npm a cache of its own when the home cannot be written', () => {
    expect(launch(['help'], { HOME: '/nonexistent/home' }).stdout).toBe(ran('help'));
    expect(npmRuns()).toEqual([`run cache=${join(checkout, '.tocsin/npm-cache')}`]);
  });
});
