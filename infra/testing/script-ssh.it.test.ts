// The script action over SSH to Debian's sshd: host keys, exact words, one run for a command, stops, and what broken sessions leave.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createScriptHosts } from '@tocsin/adapters/script-host/hosts.ts';
import type { Command, ScriptHostConnection } from '@tocsin/schemas/types.ts';
import { script } from '@tocsin/topologies/actions/script/execute.ts';
import { sshConnection } from '@tocsin/topologies/actions/script/fixtures/host.ts';
import type { ActionContext } from '@tocsin/topologies/domain/action/define-action.ts';
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';
import { eventCommand, rowsCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Scratch, scratchFolder } from './scratch.ts';
import { eventually, linesOf, outputOf, writeScript } from './script-agent.ts';
import { type Sshd, sshKey, startSshd } from './sshd.ts';

let scratch: Scratch;
let folder: string;
let sshd: Sshd;
const http = createHttpClient();
beforeAll(async () => {
  scratch = scratchFolder('ssh');
  folder = scratch.path;
  sshd = await startSshd(folder);
});
afterAll(async () => {
  await sshd?.stop();
  await http.close();
  scratch?.remove();
});

let number = 0;
const nextId = (): string => (++number).toString(16).padStart(32, '0');

interface Parts {
  readonly over?: Partial<Command>;
  readonly config?: Partial<ScriptHostConnection>;
  readonly secrets?: Record<string, string>;
  readonly context?: Partial<ActionContext>;
}

function run(params: Record<string, unknown>, parts: Parts = {}): Promise<Outcome> {
  const { over = {}, config = {}, secrets = { ssh_key: sshd.clientKey }, context = {} } = parts;
  const connection = sshConnection(
    {
      host: '127.0.0.1',
      port: sshd.port,
      user: sshd.user,
      host_keys: [sshd.hostKey],
      allow_cidrs: ['127.0.0.0/8'],
      timeout_ms: 10_000,
      ...config,
    },
    secrets,
  );
  return script.execute(eventCommand({ type: 'script', command_id: nextId(), params, ...over }), {
    ports: { scripts: createScriptHosts({ http }) },
    connection,
    now: Date.now(),
    attempt: 1,
    signal: new AbortController().signal,
    ...context,
  });
}

test('T17, C80, C84: words, variables and rows arrive as they are; nothing is run that is no script', async () => {
  const path = writeScript(
    folder,
    'show.py',
    `import json, os, sys
print(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ), 'stdin': sys.stdin.read()}))`,
    0o644,
  );
  const scripts = {
    show: { path, interpreter: 'python3', environment: ['REASON'], arguments: { pattern: '(?s).*' } },
  };
  const marker = join(folder, 'pwned');
  const hostile = [
    `$(touch ${marker})`,
    `'; touch ${marker}; '`,
    `\`touch ${marker}\``,
    "it's",
    "'",
    "''",
    'a  b',
    '',
    '*',
    '~',
    '!!',
    '\\',
    "\\'",
    'x\ny\n',
    '\t',
    'é😀',
    '"$HOME"',
    '=x',
  ];
  const rows = [
    { host: "a'b", n: 1 },
    { host: 'é\n', n: 2 },
  ];
  const params = { script: 'show', arguments: hostile, environment: { REASON: `$(id)'"\n{{search.name}}` } };
  const outcome = await run(params, {
    config: { scripts },
    over: { ...rowsCommand(rows), type: 'script', command_id: nextId(), params },
  });
  expect(outcome).toMatchObject({ status: 'done' });
  const seen = JSON.parse(String(outputOf(outcome)['stdout']));
  expect(seen.argv).toEqual(hostile);
  expect(
    String(seen.stdin)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(rows);
  expect(seen.env.REASON).toBe(`$(id)'"\nFailed logins`);
  expect(
    Object.keys(seen.env)
      .sort()
      .filter((name) => !['LC_CTYPE', 'PWD', 'SHLVL', '_', 'OLDPWD'].includes(name)),
  ).toEqual(['LANG', 'PATH', 'REASON', 'TOCSIN_COMMAND_ID']);
  expect(existsSync(marker)).toBe(false);
});

test('exit codes, both outputs, size and digest of 5 MB, and no credential', async () => {
  writeFileSync(join(folder, 'key'), sshd.clientKey, { mode: 0o600 });
  const path = writeScript(
    folder,
    'much.sh',
    `#!/bin/sh
cat "$1"
head -c 5242880 /dev/zero | tr '\\0' x
echo oops >&2
exit 3`,
  );
  const outcome = await run(
    { script: 'much', arguments: [join(folder, 'key')] },
    { config: { scripts: { much: { path } } } },
  );
  const whole = Buffer.concat([Buffer.from(sshd.clientKey), Buffer.alloc(5_242_880, 'x')]);
  expect(outcome).toMatchObject({
    code: 'script_failed',
    detail: expect.stringContaining('exit code 3: oops'),
    output: {
      exit_code: 3,
      stdout_bytes: whole.length,
      stdout_sha256: createHash('sha256').update(whole).digest('hex'),
      truncated: true,
      stderr: 'oops\n',
      stderr_bytes: 5,
      stderr_truncated: false,
    },
  });
  const text = String(outputOf(outcome)['stdout']);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(64 * 1024);
  expect(text).toMatch(/^\[secret\]/);
  for (const line of sshd.clientKey.split('\n').filter((each) => each.length > 15))
    expect(text).not.toContain(line);
});

describe('who is at the other end', () => {
  const scripts = () => ({
    hello: { path: writeScript(folder, 'hello.sh', '#!/bin/sh\necho hello >> "$1"') },
  });
  const mark = () => join(folder, 'hello.mark');

  test.each([
    ['another key of this kind', 'ed25519'],
    ['a key of another kind', 'rsa'],
  ])('a server with %s than the pinned one gets nothing', async (_, type) => {
    const other = sshKey(folder, `other_${type}`, type).public;
    const before = sshd.log().length;
    const outcome = await run(
      { script: 'hello', arguments: [mark()] },
      { config: { scripts: scripts(), host_keys: [other] } },
    );
    expect(outcome).toMatchObject({ code: 'host_key', retry: 'pause' });
    expect(outcome).not.toHaveProperty('uncertain');
    expect(sshd.log().slice(before)).not.toMatch(/Accepted|publickey for/);
    expect(existsSync(mark())).toBe(false);
    // One of several keys is enough.
    expect(
      await run(
        { script: 'hello', arguments: [mark()] },
        { config: { scripts: scripts(), host_keys: [other, sshd.hostKey] } },
      ),
    ).toMatchObject({ status: 'done' });
    rmSync(mark());
  });

  test('credentials that are refused, or are none, pause the destination', async () => {
    const parts = { config: { scripts: scripts() } };
    const params = { script: 'hello', arguments: [mark()] };
    for (const ssh_key of [sshKey(folder, 'stranger').key, 'no key at all'])
      expect(await run(params, { ...parts, secrets: { ssh_key } })).toMatchObject({
        code: 'script_auth',
        retry: 'pause',
      });
  });

  test('an address that the egress policy refuses is not contacted', async () => {
    const before = sshd.log().length;
    expect(
      await run(
        { script: 'hello', arguments: [mark()] },
        { config: { scripts: scripts(), allow_cidrs: [] } },
      ),
    ).toMatchObject({ code: 'denied', retry: 'never' });
    expect(sshd.log().length).toBe(before);
  });

  test('a server that is not there is tried again', async () => {
    expect(
      await run({ script: 'hello', arguments: [mark()] }, { config: { scripts: scripts(), port: 1 } }),
    ).toMatchObject({ code: 'connect', retry: 'backoff' });
  });
});

describe('once', () => {
  const counting = '#!/bin/sh\necho "$TOCSIN_COMMAND_ID" >> "$1"\nsleep "$2"\necho done >> "$1"';
  const config = () => ({ scripts: { count: { path: writeScript(folder, 'count.sh', counting) } } });

  test('C80: five at once and one later are one run', async () => {
    const mark = join(folder, 'five');
    const command_id = nextId();
    const once = () =>
      run({ script: 'count', arguments: [mark, '1'] }, { config: config(), over: { command_id } });
    const outcomes = await Promise.all(Array.from({ length: 5 }, once));
    outcomes.push(await once());
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
    expect(outcomes[0]).toMatchObject({ status: 'done' });
    expect(linesOf(mark)).toEqual([command_id, 'done']);
  });

  test('sessions that are killed take neither the script with them nor its end', async () => {
    const mark = join(folder, 'killed');
    const command_id = nextId();
    const parts = { config: config(), over: { command_id } };
    const params = { script: 'count', arguments: [mark, '2'] };
    const running = run(params, parts);
    await eventually(() => linesOf(mark).length === 1, sshd.log);
    sshd.killSessions();
    expect(await running).toMatchObject({ code: 'reset', retry: 'backoff', uncertain: true });
    expect(await run(params, { ...parts, context: { begun: true } })).toMatchObject({ status: 'done' });
    expect(linesOf(mark)).toEqual([command_id, 'done']);
  });

  test('a run whose watcher was killed is uncertain, and never begun again', async () => {
    const mark = join(folder, 'orphan');
    const command_id = nextId();
    const parts = { config: config(), over: { command_id } };
    const params = { script: 'count', arguments: [mark, '1'] };
    const running = run(params, parts);
    await eventually(() => linesOf(mark).length === 1, sshd.log);
    const supervisor = join(sshd.home, `.tocsin/runs/${command_id}.1/supervisor`);
    process.kill(Number(readFileSync(supervisor, 'utf8').split(' ')[0]), 'SIGKILL');
    expect(await running).toMatchObject({ code: 'uncertain', retry: 'never' });
    expect(await run(params, parts)).toMatchObject({ code: 'uncertain' });
    expect(linesOf(mark).filter((line) => line === command_id).length).toBe(1);
  });

  test('asking for a run that was never begun begins nothing', async () => {
    const mark = join(folder, 'asked');
    expect(
      await run({ script: 'count', arguments: [mark, '0'] }, { config: config(), context: { begun: true } }),
    ).toMatchObject({ code: 'uncertain', retry: 'never' });
    expect(linesOf(mark)).toEqual([]);
  });
});

describe('stopping', () => {
  test('a cancel is TERM, then KILL 10 s later for who does not heed it', async () => {
    for (const [name, trap, killed] of [
      ['obeying', 'echo bye; exit 9', false],
      ['deaf', '', true],
    ] as const) {
      const mark = join(folder, name);
      const path = writeScript(
        folder,
        `${name}.sh`,
        `#!/bin/sh\ntrap "${trap}" TERM\necho $$ > "$1"\nwhile :; do sleep 0.1; done`,
      );
      const cancel = new AbortController();
      const running = run(
        { script: name, arguments: [mark] },
        { config: { scripts: { [name]: { path } } }, context: { cancel: cancel.signal } },
      );
      await eventually(() => linesOf(mark)[0] !== undefined, sshd.log);
      const began = performance.now();
      cancel.abort();
      expect(await running).toMatchObject({
        code: 'cancelled_uncertain',
        output: { stdout: killed ? '' : 'bye\n', stopped: { by: 'cancel', killed } },
      });
      const took = performance.now() - began;
      if (killed) expect(took).toBeGreaterThan(10_000);
      else expect(took).toBeLessThan(5_000);
    }
  });

  test('the time limit of the catalogue', async () => {
    const path = writeScript(folder, 'long.sh', '#!/bin/sh\necho begun\nsleep 30');
    expect(
      await run({ script: 'long' }, { config: { scripts: { long: { path, time_limit: 1 } } } }),
    ).toMatchObject({
      code: 'cancelled_uncertain',
      output: { stdout: 'begun\n', stopped: { by: 'time_limit', killed: false } },
    });
  });

  test('shell text where the connection allows it, with values as its arguments', async () => {
    const params = {
      command: 'printf %s "$1"; exit 4',
      shell: true,
      arguments: ['{{data.t}}'],
      stdin: 'none',
    };
    const over = { subject: { event: { event: 'x', data: { t: "'; id #" } } } };
    expect(await run(params, { config: { allow_shell: true }, over })).toMatchObject({
      code: 'script_failed',
      output: { exit_code: 4, stdout: "'; id #" },
    });
  });
});
