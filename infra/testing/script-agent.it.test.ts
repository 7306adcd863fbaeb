// The script action over a real agent and real processes: how scripts are run, stopped, remembered and refused.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createScriptHosts } from '@tocsin/adapters/script-host/hosts.ts';
import type { Command, ScriptAgent, ScriptHostConnection } from '@tocsin/schemas/types.ts';
import { script } from '@tocsin/topologies/actions/script/execute.ts';
import { agentConnection } from '@tocsin/topologies/actions/script/fixtures/host.ts';
import type { ActionContext } from '@tocsin/topologies/domain/action/define-action.ts';
import type { Outcome } from '@tocsin/topologies/domain/action/outcome.ts';
import { resultOf } from '@tocsin/topologies/domain/action/results.ts';
import { eventCommand, rowsCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAuthority } from './certificates.ts';
import { type Scratch, scratchFolder } from './scratch.ts';
import {
  agentToken,
  eventually,
  linesOf,
  outputOf,
  startAgent,
  type TestAgent,
  writeScript,
} from './script-agent.ts';

const http = createHttpClient();
afterAll(() => http.close());

let scratch: Scratch;
let folder: string;
const agents: TestAgent[] = [];
beforeEach(() => {
  scratch = scratchFolder('agent');
  folder = scratch.path;
});
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.kill()));
  scratch.remove();
});

async function start(config: Partial<ScriptAgent> = {}, port?: number): Promise<TestAgent> {
  const agent = await startAgent(folder, { kill_after_ms: 1_000, ...config }, port);
  agents.push(agent);
  return agent;
}

let number = 0;
const nextId = (): string => (++number).toString(16).padStart(32, '0');

interface Parts {
  readonly over?: Partial<Command>;
  readonly config?: Partial<ScriptHostConnection>;
  readonly token?: string;
  readonly context?: Partial<ActionContext>;
  readonly awayMs?: number;
}

function run(agent: TestAgent, params: Record<string, unknown>, parts: Parts = {}): Promise<Outcome> {
  const { over = {}, config = {}, token = agentToken, context = {}, awayMs = 3_000 } = parts;
  const connection = agentConnection(
    {
      host: '127.0.0.1',
      port: agent.port,
      protocol: 'http',
      allow_insecure: true,
      allow_cidrs: ['127.0.0.0/8'],
      ...config,
    },
    { token },
  );
  const command = eventCommand({ type: 'script', command_id: nextId(), params, ...over });
  return script.execute(command, {
    ports: { scripts: createScriptHosts({ http, waitMs: 2_000, awayMs }) },
    connection,
    now: Date.now(),
    attempt: 1,
    signal: new AbortController().signal,
    ...context,
  });
}

const isAlive = (pid: number): boolean => {
  try {
    // A zombie has ended, whoever has not reaped it.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/** Command lines and environments, of all processes, that hold the text. */
function processesThatShow(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
    .filter((file) => {
      try {
        return readFileSync(file).includes(text);
      } catch {
        // It has ended, or belongs to somebody else.
        return false;
      }
    });
}

describe('what a script gets', () => {
  test('C80, C84: arguments as they are, no environment of the agent, rows on standard input', async () => {
    const path = writeScript(
      folder,
      'show.py',
      `import json, os, sys
print(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ), 'stdin': [json.loads(l) for l in sys.stdin], 'cwd': os.getcwd()}))`,
      0o644,
    );
    const agent = await start({
      scripts: { show: { path, interpreter: 'python3', environment: ['REASON'] } },
    });
    const marker = join(folder, 'pwned');
    const hostile = [
      `$(touch ${marker})`,
      `; touch ${marker}`,
      `\`touch ${marker}\``,
      "it's",
      'a  b',
      '',
      '*',
      '\\',
    ];
    const rows = [
      { host: 'a', n: 1 },
      { host: 'b', n: 2 },
    ];
    const outcome = await run(
      agent,
      { script: 'show', arguments: hostile, environment: { REASON: '{{search.name}}' } },
      {
        over: {
          ...rowsCommand(rows),
          type: 'script',
          command_id: nextId(),
          params: {
            script: 'show',
            arguments: hostile,
            environment: { REASON: '{{search.name}}' },
          },
        },
      },
    );
    expect(outcome.status).toBe('done');
    const seen = JSON.parse(String(outputOf(outcome)['stdout']));
    expect(seen.argv).toEqual(hostile);
    expect(seen.stdin).toEqual(rows);
    expect(seen.cwd).toBe('/');
    expect(
      Object.keys(seen.env)
        .filter((name) => name !== 'LC_CTYPE')
        .sort(),
    ).toEqual(['HOME', 'LANG', 'PATH', 'REASON', 'TOCSIN_COMMAND_ID']);
    expect(seen.env.REASON).toBe('Failed logins');
    expect(existsSync(marker)).toBe(false);
  });

  test('T17: what would be an option, or a line of its own, is one argument or refused', async () => {
    const marker = join(folder, 'pwned');
    const path = writeScript(folder, 'words.sh', '#!/bin/sh\nfor word; do printf "%s|" "$word"; done');
    const agent = await start({ scripts: { words: { path, arguments: { pattern: '(?s).*' } } } });
    const values = ['$(id)', '; id', `\n touch ${marker}\n`, `' ; touch ${marker}`];
    for (const value of values) {
      const command = { ...eventCommand({ event: { event: 'x', data: { value } } }), type: 'script' };
      const params = { script: 'words', arguments: ['{{data.value}}', '--name={{data.value}}'] };
      const outcome = await run(agent, params, { over: { ...command, command_id: nextId(), params } });
      expect(outputOf(outcome)['stdout']).toBe(`${value}|--name=${value}|`);
    }
    const params = { script: 'words', arguments: ['{{data.value}}'] };
    const option = {
      ...eventCommand({ event: { event: 'x', data: { value: '--config=/x' } } }),
      type: 'script',
    };
    expect(await run(agent, params, { over: { ...option, command_id: nextId(), params } })).toMatchObject({
      status: 'failed',
      code: 'script_refused',
      retry: 'never',
    });
    expect(existsSync(marker)).toBe(false);
  });

  test('T18: neither the credential nor what comes on standard input is in the command line or environment of any process', async () => {
    const gate = join(folder, 'gate');
    const path = writeScript(
      folder,
      'slow.sh',
      '#!/bin/sh\ncat\ntouch "$1.open"\nwhile [ ! -e "$1" ]; do sleep 0.05; done',
    );
    const agent = await start({ scripts: { slow: { path } } });
    const canary = 'canary-3f9c1e77-of-a-row';
    const params = { script: 'slow', arguments: [gate] };
    const ended = run(agent, params, {
      over: { ...rowsCommand([{ password: canary }]), type: 'script', command_id: nextId(), params },
    });
    await eventually(() => existsSync(`${gate}.open`));
    // The gate itself is an argument: whoever looks finds it.
    expect(processesThatShow(gate).length).toBeGreaterThan(0);
    expect([...processesThatShow(canary), ...processesThatShow(agentToken)]).toEqual([]);
    writeFileSync(gate, '');
    expect(outputOf(await ended)['stdout']).toContain(canary);
    expect(agent.log()).not.toContain(canary);
  });

  test('C82: the command line of the source document, and a shell text only where it is allowed', async () => {
    const path = writeScript(folder, 'test.py', 'import sys\nprint("|".join(sys.argv[1:]))', 0o644);
    const agent = await start({ scripts: { test: { path, interpreter: 'python3' } } });
    const command = `python3 ${path} --index logs-* --limit 100`;
    expect(outputOf(await run(agent, { command }))).toMatchObject({
      exit_code: 0,
      stdout: '--index|logs-*|--limit|100\n',
    });
    const shell = {
      command: 'printf "%s/" "$1" "$TOCSIN_T"; exit 4',
      shell: true,
      arguments: ['{{data.title}}'],
      environment: { TOCSIN_T: '$(id) "x"' },
      stdin: 'none',
    };
    expect(await run(agent, shell)).toMatchObject({ code: 'script_refused', retry: 'never' });
    await agent.stop();
    const allowing = await start({ allow_shell: true });
    const over = { subject: { event: { event: 'x', data: { title: "'; rm -rf / #" } } } };
    expect(await run(allowing, shell, { over })).toMatchObject({
      code: 'script_failed',
      output: { exit_code: 4, stdout: `'; rm -rf / #/$(id) "x"/` },
    });
  });

  test('C83: exit codes, signals, a missing interpreter, a file that cannot be executed', async () => {
    const agent = await start({
      scripts: {
        three: { path: writeScript(folder, 'three.sh', '#!/bin/sh\necho oops >&2\nexit 3') },
        segv: { path: writeScript(folder, 'segv.sh', '#!/bin/sh\nkill -SEGV $$') },
        none: { path: writeScript(folder, 'none.x', ''), interpreter: 'no-such-interpreter' },
        plain: { path: writeScript(folder, 'plain.sh', '#!/bin/sh\n', 0o644) },
      },
    });
    expect(await run(agent, { script: 'three' })).toMatchObject({
      code: 'script_failed',
      detail: expect.stringContaining('exit code 3: oops'),
      output: { exit_code: 3, stderr: 'oops\n', stderr_bytes: 5 },
    });
    expect(await run(agent, { script: 'segv' })).toMatchObject({
      output: { exit_code: null, signal: 'SIGSEGV' },
    });
    expect(await run(agent, { script: 'none' })).toMatchObject({ output: { exit_code: 127 } });
    expect(await run(agent, { script: 'plain' })).toMatchObject({ output: { exit_code: 126 } });
  });

  test('what it leaves running in the background is not waited for', async () => {
    const path = writeScript(folder, 'back.sh', '#!/bin/sh\nsleep 30 &\necho $!');
    const agent = await start({ scripts: { back: { path } } });
    const began = performance.now();
    const outcome = await run(agent, { script: 'back' });
    expect(performance.now() - began).toBeLessThan(8_000);
    expect(outcome.status).toBe('done');
    process.kill(Number(outputOf(outcome)['stdout']));
  });
});

describe('output', () => {
  test('B11: of 5 MB 64 KiB are kept, with size and digest of the whole, and no secret', async () => {
    const path = writeScript(
      folder,
      'much.py',
      `import sys
token = '${agentToken}'
body = (b'\\x01\\x1b[31m\\xff' + 'é'.encode() + token.encode()) * 130000
sys.stdout.buffer.write(body[:5 * 1024 * 1024])
sys.stderr.write(token)`,
      0o644,
    );
    const agent = await start({ scripts: { much: { path, interpreter: 'python3' } } });
    const outcome = await run(agent, { script: 'much' });
    const whole = Buffer.concat(
      Array.from({ length: 130_000 }, () =>
        Buffer.concat([
          Buffer.from([1]),
          Buffer.from('\x1b[31m'),
          Buffer.from([0xff]),
          Buffer.from(`é${agentToken}`),
        ]),
      ),
    ).subarray(0, 5 * 1024 * 1024);
    const output = outputOf(outcome);
    expect(output).toMatchObject({
      stdout_bytes: 5 * 1024 * 1024,
      stdout_sha256: createHash('sha256').update(whole).digest('hex'),
      truncated: true,
      stderr: '[secret]',
      stderr_truncated: false,
    });
    const text = String(output['stdout']);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(64 * 1024);
    expect(Buffer.byteLength(text)).toBeGreaterThan(30 * 1024);
    // Not even the beginning of it at the cut.
    expect(text).not.toContain(agentToken.slice(0, 8));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
    const attempt = { attempt: 1, startedAt: 0, finishedAt: 1, possibleDuplicate: false };
    const result = JSON.stringify(resultOf(eventCommand({ type: 'script' }), 'succeeded', outcome, attempt));
    expect(Buffer.byteLength(result)).toBeLessThan(512 * 1024);
    expect(agent.log()).not.toContain(agentToken);
    const journal = readdirSync(join(folder, 'state/runs'));
    expect(readFileSync(join(folder, 'state/runs', journal[0]!, 'ended.json'), 'utf8')).not.toContain(
      agentToken,
    );
  });
});

describe('stopping', () => {
  const obeying = '#!/bin/sh\necho $$ > "$1"\ntrap "echo bye; exit 9" TERM\nwhile :; do sleep 0.1; done';
  const deaf = '#!/bin/sh\necho $$ > "$1"\ntrap "" TERM\nsleep 60 &\nwhile :; do sleep 0.1; done';

  test('B12: a cancel is TERM, and KILL for the whole group when that is not heeded', async () => {
    const agent = await start({
      scripts: {
        obeying: { path: writeScript(folder, 'obeying.sh', obeying) },
        deaf: { path: writeScript(folder, 'deaf.sh', deaf) },
      },
    });
    for (const [name, killed] of [
      ['obeying', false],
      ['deaf', true],
    ] as const) {
      const mark = join(folder, name);
      const cancel = new AbortController();
      const running = run(agent, { script: name, arguments: [mark] }, { context: { cancel: cancel.signal } });
      await eventually(() => linesOf(mark)[0] !== undefined);
      const pid = Number(linesOf(mark)[0]);
      const began = performance.now();
      cancel.abort();
      const outcome = await running;
      const took = performance.now() - began;
      expect(outcome).toMatchObject({
        code: 'cancelled_uncertain',
        retry: 'never',
        output: { stopped: { by: 'cancel', killed } },
      });
      expect(outputOf(outcome)['stdout']).toBe(killed ? '' : 'bye\n');
      if (killed) expect(took).toBeGreaterThanOrEqual(1_000);
      else expect(took).toBeLessThan(1_000);
      await eventually(() => !isAlive(pid));
      // Nobody of its group is left.
      const group = execFileSync('sh', [
        '-c',
        `cat /proc/[0-9]*/stat 2>/dev/null | awk '$5==${pid} && $3!="Z"'`,
      ]);
      expect(group.toString()).toBe('');
    }
  });

  test('the default between TERM and KILL is 10 s', async () => {
    const { readAgentConfig } = await import('@tocsin/adapters/script-agent/config.ts');
    const { writeAgentConfig } = await import('./script-agent.ts');
    expect(readAgentConfig(writeAgentConfig(folder, {})).killAfterMs).toBe(10_000);
  });

  test('a time limit: that of the catalogue, or the shorter one of the action or step', async () => {
    const path = writeScript(folder, 'long.sh', '#!/bin/sh\necho begun\nsleep 30');
    const agent = await start({ scripts: { long: { path, time_limit: 1 } } });
    for (const [params, over] of [
      [{ script: 'long', time_limit: 60 }, {}],
      [{ script: 'long' }, { timeout_ms: 300 }],
    ] as const) {
      const began = performance.now();
      expect(await run(agent, params, { over })).toMatchObject({
        code: 'cancelled_uncertain',
        detail: expect.stringContaining('time limit'),
        output: { stdout: 'begun\n', stopped: { by: 'time_limit', killed: false } },
      });
      expect(performance.now() - began).toBeLessThan(5_000);
    }
  });

  test('an agent that is stopped stops its scripts and remembers that', async () => {
    const path = writeScript(folder, 'obeying.sh', obeying);
    const config = { scripts: { obeying: { path } } };
    const agent = await start(config);
    const mark = join(folder, 'mark');
    const command_id = nextId();
    const params = { script: 'obeying', arguments: [mark] };
    const running = run(agent, params, { over: { command_id }, awayMs: 20_000 });
    await eventually(() => linesOf(mark)[0] !== undefined);
    await agent.stop();
    await start(config, agent.port);
    expect(await running).toMatchObject({ code: 'cancelled_uncertain' });
  });
});

describe('once', () => {
  const counting =
    '#!/bin/sh\necho "$TOCSIN_COMMAND_ID" >> "$1"\nsleep "$2"\necho "$TOCSIN_COMMAND_ID done" >> "$1"';
  const scripts = () => ({ count: { path: writeScript(folder, 'count.sh', counting) } });

  test('the same command ten times at once, and again later, is one run', async () => {
    const agent = await start({ scripts: scripts() });
    const mark = join(folder, 'mark');
    const command_id = nextId();
    const once = () => run(agent, { script: 'count', arguments: [mark, '0.5'] }, { over: { command_id } });
    const outcomes = await Promise.all(Array.from({ length: 10 }, once));
    outcomes.push(await once());
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
    expect(outcomes[0]).toMatchObject({ status: 'done' });
    expect(linesOf(mark)).toEqual([command_id, `${command_id} done`]);
  });

  test('a worker that goes away loses nothing: the next one is told the end', async () => {
    const agent = await start({ scripts: scripts() });
    const mark = join(folder, 'mark');
    const parts = { over: { command_id: nextId() } };
    const params = { script: 'count', arguments: [mark, '1'] };
    const leave = new AbortController();
    const first = run(agent, params, { ...parts, context: { signal: leave.signal } });
    await eventually(() => linesOf(mark).length === 1);
    leave.abort();
    expect(await first).toMatchObject({ code: 'aborted', uncertain: true });
    expect(await run(agent, params, { ...parts, context: { begun: true } })).toMatchObject({
      status: 'done',
    });
    expect(linesOf(mark).length).toBe(2);
  });

  test('an agent that is killed with kill -9: uncertain, never run again; its script can still be stopped', async () => {
    const config = { scripts: scripts() };
    const agent = await start(config);
    const mark = join(folder, 'mark');
    const command_id = nextId();
    const params = { script: 'count', arguments: [mark, '30'] };
    const running = run(agent, params, { over: { command_id }, awayMs: 20_000 });
    await eventually(() => linesOf(mark).length === 1);
    await agent.kill();
    const next = await start(config, agent.port);
    // Killed before it answered, it is asked by the next attempt.
    const first = await running;
    const asked = { over: { command_id }, context: { begun: true } };
    const outcome =
      first.status === 'failed' && first.code === 'reset' ? await run(next, params, asked) : first;
    expect(outcome).toMatchObject({ code: 'uncertain', retry: 'never' });
    for (const over of [{ command_id }, { command_id, on_uncertain: 'retry' as const }])
      expect(await run(next, params, { over })).toMatchObject({ code: 'uncertain' });
    expect(linesOf(mark)).toEqual([command_id]);
    const { pid } = JSON.parse(readFileSync(join(folder, `state/runs/${command_id}.1/process.json`), 'utf8'));
    expect(isAlive(pid)).toBe(true);
    await run(next, params, { over: { command_id }, context: { cancel: AbortSignal.abort(), begun: true } });
    await fetch(`http://127.0.0.1:${next.port}/v1/runs/${command_id}.1/cancel`, {
      method: 'POST',
      headers: { authorization: `Bearer ${agentToken}` },
    });
    await eventually(() => !isAlive(pid));
    // Somebody decided: another round is another run.
    const again = { script: 'count', arguments: [mark, '0'] };
    expect(await run(next, again, { over: { command_id, round: 2 } })).toMatchObject({ status: 'done' });
    expect(linesOf(mark).filter((line) => line === command_id).length).toBe(2);
    expect(await run(next, again, { over: { command_id, round: 1 } })).toMatchObject({ code: 'uncertain' });
  });

  test('a crash between the claim and the start: nobody starts it', async () => {
    const config = { scripts: scripts() };
    const agent = await start(config);
    await agent.kill();
    const command_id = nextId();
    const { openJournal } = await import('@tocsin/adapters/script-agent/journal.ts');
    const journal = openJournal(join(folder, 'state'));
    expect([journal.claim(`${command_id}.1`, {}), journal.claim(`${command_id}.1`, {})]).toEqual([
      true,
      false,
    ]);
    const next = await start(config, agent.port);
    const mark = join(folder, 'mark');
    expect(
      await run(next, { script: 'count', arguments: [mark, '0'] }, { over: { command_id } }),
    ).toMatchObject({
      code: 'uncertain',
    });
    expect(linesOf(mark)).toEqual([]);
  });

  test('a run that the agent has never begun is not begun by asking', async () => {
    const agent = await start({ scripts: scripts() });
    const mark = join(folder, 'mark');
    expect(
      await run(agent, { script: 'count', arguments: [mark, '0'] }, { context: { begun: true } }),
    ).toMatchObject({ code: 'uncertain', retry: 'never' });
    expect(linesOf(mark)).toEqual([]);
  });

  test('two agents do not share one journal', async () => {
    await start({ scripts: scripts() });
    await expect(start({ scripts: scripts() })).rejects.toThrow(/is in use by the agent/);
  });

  test('no more than the host may run at a time; the rest is told to come again', async () => {
    const agent = await start({ concurrency: 1, scripts: scripts() });
    const mark = join(folder, 'mark');
    const params = { script: 'count', arguments: [mark, '1'] };
    const first = run(agent, params);
    await eventually(() => linesOf(mark).length === 1);
    expect(await run(agent, params)).toMatchObject({ code: 'script_busy', retry: 'backoff' });
    expect(await first).toMatchObject({ status: 'done' });
  });
});

describe('who is let in, and to what', () => {
  const hello = '#!/bin/sh\necho hello';

  test('a wrong token pauses the destination and begins nothing', async () => {
    const agent = await start({ scripts: { hello: { path: writeScript(folder, 'hello.sh', hello) } } });
    expect(await run(agent, { script: 'hello' }, { token: `${agentToken}x` })).toMatchObject({
      code: 'script_auth',
      retry: 'pause',
    });
    const ask = async (path: string, init: RequestInit = {}): Promise<number> =>
      (await fetch(`http://127.0.0.1:${agent.port}${path}`, init)).status;
    const auth = { authorization: `Bearer ${agentToken}` };
    expect([
      await ask('/health'),
      await ask('/v1/runs', { method: 'POST', body: '{}' }),
      await ask(`/v1/runs/${'0'.repeat(32)}.1`, { headers: { authorization: 'Basic x' } }),
      await ask('/v1/runs/../../etc/passwd', { headers: auth }),
      await ask('/v1/runs/x.1', { headers: auth }),
      await ask('/v1/runs', { method: 'POST', headers: auth, body: '{"__proto__":{}}' }),
      await ask('/v1/runs', {
        method: 'POST',
        headers: auth,
        body: `{"a":"${'x'.repeat(9_000_000)}"}`,
      }).catch(() => 413),
    ]).toEqual([200, 401, 401, 404, 404, 400, 413]);
    expect(existsSync(join(folder, 'state/runs')) && readdirSync(join(folder, 'state/runs'))).toEqual([]);
  });

  test('mutual TLS: a client of the authority is let in, any other is not', async () => {
    const authority = createAuthority();
    const { cert, key } = authority.issue(['IP:127.0.0.1']);
    const client = authority.issue(['DNS:worker'], { client: true });
    const foreign = createAuthority('Other').issue(['DNS:worker'], { client: true });
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
    writeFileSync(join(folder, 'ca.pem'), authority.cert);
    writeFileSync(join(folder, 'token'), `${agentToken}\n`);
    const agent = await start({
      tls: { cert_file: 'cert.pem', key_file: 'key.pem', client_ca_file: 'ca.pem' },
      scripts: { hello: { path: writeScript(folder, 'hello.sh', hello) } },
    });
    const as = async (with_: { cert: string; key: string }): Promise<Outcome> => {
      const connection = agentConnection(
        {
          host: '127.0.0.1',
          port: agent.port,
          allow_cidrs: ['127.0.0.0/8'],
          tls: { ca: authority.cert, cert: with_.cert },
        },
        { token: agentToken, tls_key: with_.key },
      );
      return script.execute(
        eventCommand({ type: 'script', command_id: nextId(), params: { script: 'hello' } }),
        {
          ports: { scripts: createScriptHosts({ http }) },
          connection,
          now: 0,
          attempt: 1,
          signal: new AbortController().signal,
        },
      );
    };
    expect(await as(client)).toMatchObject({ status: 'done', output: { stdout: 'hello\n' } });
    expect((await as(foreign)).status).toBe('failed');
  });

  test('a script that changes after the start: link outside, writable by others, another content', async () => {
    const path = writeScript(folder, 'hello.sh', hello);
    const linked = join(folder, 'scripts/linked.sh');
    symlinkSync(path, linked);
    const sha256 = createHash('sha256').update(hello).digest('hex');
    const agent = await start({
      scripts: { hello: { path }, linked: { path: linked }, pinned: { path, sha256 } },
    });
    for (const name of ['hello', 'linked', 'pinned'])
      expect(await run(agent, { script: name })).toMatchObject({ status: 'done' });
    writeScript(folder, 'hello.sh', `${hello}\necho more`);
    expect(await run(agent, { script: 'pinned' })).toMatchObject({
      code: 'script_refused',
      detail: expect.stringContaining('sha256'),
    });
    writeScript(folder, 'hello.sh', hello, 0o777);
    expect(await run(agent, { script: 'hello' })).toMatchObject({
      code: 'script_refused',
      detail: expect.stringContaining('can be written'),
    });
    execFileSync('ln', ['-sfn', '/bin/true', linked]);
    expect(await run(agent, { script: 'linked' })).toMatchObject({
      code: 'script_refused',
      detail: expect.stringContaining('no allowed folder'),
    });
  });

  test.each<[string, (folder: string) => Partial<ScriptAgent>, RegExp]>([
    [
      'a script outside',
      () => ({ scripts: { a: { path: '/bin/sh' } } }),
      /scripts\/a\/path.*no allowed folder/,
    ],
    [
      'a way out by ..',
      (at) => ({ scripts: { a: { path: `${at}/scripts/../../../bin/sh` } } }),
      /scripts\/a\/path/,
    ],
    [
      'a script that everybody can write',
      (at) => ({ scripts: { a: { path: writeScript(at, 'w.sh', hello, 0o777) } } }),
      /scripts\/a\/path.*can be written/,
    ],
    ['a script that is not there', (at) => ({ scripts: { a: { path: `${at}/scripts/no` } } }), /ENOENT/],
    [
      'an expression that is none',
      (at) => ({ scripts: { a: { path: writeScript(at, 'x.sh', hello), arguments: { pattern: '(?=x)' } } } }),
      /arguments\/pattern.*RE2/,
    ],
    ['no token', () => ({ token_file: 'absent' }), /token_file/],
    ['an open address without TLS', () => ({ listen: { host: '0.0.0.0', port: 0 } }), /\/tls/],
    [
      'a user that is none',
      (at) => ({ scripts: { a: { path: writeScript(at, 'u.sh', hello), user: 'no-such-user' } } }),
      /no user/,
    ],
    ['an unknown field', () => ({ allow_shel: true }) as never, /allow_shel/],
  ])('does not start with %s', async (_, config, message) => {
    await expect(start(config(folder))).rejects.toThrow(message);
  });

  test('a script runs as its user, which takes an agent that runs as root', async () => {
    const path = writeScript(folder, 'who.sh', '#!/bin/sh\nid -un; id -G; echo $HOME');
    if (process.getuid?.() !== 0) {
      await expect(start({ scripts: { who: { path, user: 'nobody' } } })).rejects.toThrow(/runs as root/);
      return;
    }
    const agent = await start({ scripts: { who: { path, user: 'nobody' } } });
    const [user, groups, home] = String(outputOf(await run(agent, { script: 'who' }))['stdout']).split('\n');
    expect(user).toBe('nobody');
    expect(groups?.split(' ')).not.toContain('0');
    expect(home).toBe(execFileSync('getent', ['passwd', 'nobody']).toString().split(':')[5]);
  });
});
