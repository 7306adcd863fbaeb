import { describe, expect, it, test } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import type { ActionContext } from '../../domain/action/define-action.ts';
import type { scriptEnd } from '../../ports/fakes/script-host.ts';
import { ScriptHostFailure, type ScriptHostFailureClass } from '../../ports/script-host.ts';
import { contextFor, type Fakes, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { script } from './execute.ts';
import { agentConnection, sshConnection } from './fixtures/host.ts';

contract(script, {
  folder: new URL('./', import.meta.url),
  params: { script: 'note', arguments: ['{{host}}', '--team={{team}}'] },
  missing: { script: 'note', arguments: ['x {{nowhere.to_be_found}}'] },
  connection: agentConnection(),
  secrets: ['token'],
});

const issues = (params: Record<string, unknown>): string[] => [
  ...new Set(checkParams(script, params).map(({ path }) => path)),
];

function run(
  params: Record<string, unknown>,
  parts: {
    readonly ports?: Fakes;
    readonly data?: Record<string, unknown>;
    readonly context?: Partial<ActionContext>;
    readonly over?: Parameters<typeof eventCommand>[0];
  } = {},
) {
  const { ports = fakes(), data = {}, context = {}, over = {} } = parts;
  const command = eventCommand({ type: 'script', params, event: { event: 'x', data }, ...over });
  const given = contextFor(script, ports, { connection: agentConnection(), ...context });
  return { ports, outcome: script.execute(command, given) };
}

/** The call that a host gets for these parameters. */
async function callOf(params: Record<string, unknown>, data: Record<string, unknown> = {}) {
  const { ports, outcome } = run(params, { data });
  await outcome;
  return ports.scripts.begun[0]?.run.call;
}

describe('script: what is run', () => {
  test.each([
    [{}, ['']],
    [{ script: 'a', command: 'b' }, ['']],
    [{ script: '../a' }, ['/script']],
    [{ script: 'A' }, ['/script']],
    [{ script: 'a', shell: true }, ['/shell']],
    [{ command: '/a/b', arguments: ['x'] }, ['/arguments']],
    [{ command: '/a/b {{#x}}' }, ['/command']],
    [{ command: '{{program}} x' }, ['/command']],
    [{ command: 'echo {{x}}', shell: true }, ['/command']],
    [{ command: '/a/b | tee /tmp/x' }, ['/command']],
    [{ command: '/a/b $HOME' }, ['/command']],
    [{ command: '/a/b `id`' }, ['/command']],
    [{ command: '/a/b "x' }, ['/command']],
    [{ command: '   ' }, ['/command']],
    [{ script: 'a', environment: { 'A-B': 'x' } }, ['/environment']],
    [{ script: 'a', environment: { A: '{{#x}}' } }, ['/environment/A']],
    [{ script: 'a', stdin: 'none', fields: ['x'] }, ['/fields']],
    [{ script: 'a', time_limit: 0 }, ['/time_limit']],
  ])('refuses %j', (params, paths) => expect(issues(params)).toEqual(paths));

  test('C83, C84: the command of the source document arrives word by word, stars unharmed', async () => {
    const command = 'python3 /app/smart-monitor/utils/scripts/test.py --index logs-* --limit 100';
    expect(await callOf({ command })).toEqual({
      words: ['python3', '/app/smart-monitor/utils/scripts/test.py', '--index', 'logs-*', '--limit', '100'],
    });
  });

  // Expected words: POSIX.1-2024, XCU 2.2.
  test.each([
    [`/a 'b c' "d e" f\\ g`, ['/a', 'b c', 'd e', 'f g']],
    [`/a '' ""`, ['/a', '', '']],
    [`/a "x\\"y\\\\z\\n" 'q"\\r'`, ['/a', 'x"y\\z\\n', 'q"\\r']],
    [`/a b'c'"d"`, ['/a', 'bcd']],
    [`/a "; rm -rf /" '$(id)'`, ['/a', '; rm -rf /', '$(id)']],
    [`/a *.log ~ {a,b}`, ['/a', '*.log', '~', '{a,b}']],
  ])('splits %j', async (command, words) => expect(await callOf({ command })).toEqual({ words }));

  const hostile = [
    '$(id)',
    '; rm -rf /',
    'a b',
    "it's",
    '"quoted"',
    '`id`',
    'x\ny',
    '{{title}}',
    '*',
    '',
    '\\',
    "' $(touch /tmp/x) '",
  ];
  test.each(hostile)('C82, C84: the value %j is one argument as it is', async (t) => {
    const args = ['{{data.t}}', '--t={{data.t}}'];
    expect(await callOf({ script: 'a', arguments: args }, { t })).toEqual({
      script: 'a',
      arguments: [t, `--t=${t}`],
    });
    expect(await callOf({ command: '/a --t={{data.t}} "{{ data.t }}"' }, { t })).toEqual({
      words: ['/a', `--t=${t}`, t],
    });
    expect(await callOf({ command: 'echo "$1"', shell: true, arguments: ['{{data.t}}'] }, { t })).toEqual({
      shell: 'echo "$1"',
      arguments: [t],
    });
  });

  test.each([{ script: 'a', arguments: ['ok', '{{data.t}}'] }, { command: '/a ok {{data.t}}' }])(
    'a value does not become an option: %j',
    async (params) => {
      const { ports, outcome } = run(params, { data: { t: '--config=/x' } });
      expect(await outcome).toMatchObject({ code: 'script_refused', retry: 'never' });
      expect(ports.scripts.begun).toEqual([]);
      const spelled = run({ script: 'a', arguments: ['-{{data.t}}'] }, { data: { t: '-x' } });
      expect(await spelled.outcome).toMatchObject({ status: 'done' });
    },
  );

  test('C85: rows are lines of JSON; fields choose by flat and nested names', async () => {
    const rows = [
      { host: 'a', 'source.ip': '192.0.2.1', user: { name: 'x\ny' } },
      { host: 'b', other: 1 },
    ];
    const stdinOf = async (params: Record<string, unknown>) => {
      const ports = fakes();
      const command = rowsCommand(rows, { type: 'script', params: { script: 'a', ...params } });
      const outcome = await script.execute(
        command,
        contextFor(script, ports, { connection: agentConnection() }),
      );
      return [ports.scripts.begun[0]?.run.stdin, outcome.status === 'done' ? outcome.warnings : null];
    };
    const [all] = await stdinOf({});
    expect(
      String(all)
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(rows);
    expect(await stdinOf({ fields: ['source.ip', 'user.name'] })).toEqual([
      '{"source.ip":"192.0.2.1","user.name":"x\\ny"}\n{}\n',
      ['fields: source.ip is missing in some results', 'fields: user.name is missing in some results'],
    ]);
    expect((await stdinOf({ stdin: 'none' }))[0]).toBeNull();
  });

  test('the shorter of the limits of action and step holds', async () => {
    const limit = async (time_limit: number | undefined, timeout_ms?: number) => {
      const { ports, outcome } = run(
        { script: 'a', ...(time_limit === undefined ? {} : { time_limit }) },
        { over: timeout_ms === undefined ? {} : { timeout_ms } },
      );
      await outcome;
      return ports.scripts.begun[0]?.run.timeLimitMs;
    };
    expect([
      await limit(undefined),
      await limit(60),
      await limit(60, 5_000),
      await limit(undefined, 7_000),
    ]).toEqual([null, 60_000, 5_000, 7_000]);
  });
});

describe('script: over SSH the catalogue of the connection decides', () => {
  const ssh = sshConnection({
    scripts: {
      note: {
        path: '/opt/note.sh',
        arguments: { max: 1, pattern: '[a-z]+' },
        environment: ['WHO'],
        time_limit: 20,
      },
      py: { path: '/opt/p.py', interpreter: '/usr/bin/python3', stdin: false },
    },
  });
  const over = (params: Record<string, unknown>, data: Record<string, unknown> = {}) =>
    run(params, { data, context: { connection: ssh } });

  test('C83: names and command lines become the words of the entry', async () => {
    const first = over({ script: 'note', arguments: ['abc'], time_limit: 30 });
    await first.outcome;
    expect(first.ports.scripts.begun[0]?.run).toMatchObject({
      call: { words: ['/opt/note.sh', 'abc'] },
      timeLimitMs: 20_000,
    });
    const second = over({ command: 'python3 /opt/p.py "a b"' });
    await second.outcome;
    expect(second.ports.scripts.begun[0]?.run).toMatchObject({
      call: { words: ['/usr/bin/python3', '/opt/p.py', 'a b'] },
      stdin: null,
    });
  });

  test.each([
    [{ command: '/opt/other.sh' }, 'script_refused'],
    [{ command: '/opt/x/../note.sh' }, 'script_refused'],
    [{ command: 'perl /opt/p.py' }, 'script_refused'],
    [{ command: '/usr/local/bin/python3 /opt/p.py' }, 'script_refused'],
    [{ command: '/opt/p.py' }, 'script_refused'],
    [{ script: 'note', arguments: ['a', 'b'] }, 'script_refused'],
    [{ script: 'note', arguments: ['{{data.t}}'] }, 'script_refused'],
    [{ script: 'note', environment: { PATH: '/tmp' } }, 'script_refused'],
    [{ script: 'note', environment: { LD_PRELOAD: '/tmp/x.so' } }, 'script_refused'],
    [{ script: 'gone' }, 'invalid_params'],
    [{ command: 'id', shell: true }, 'invalid_params'],
  ])('refuses %j', async (params, code) => {
    const { ports, outcome } = over(params, { t: 'A;id' });
    expect(await outcome).toMatchObject({ code, retry: 'never' });
    expect(ports.scripts.begun).toEqual([]);
  });

  test('the connection itself: keys are pinned, nothing of the other executor is taken', async () => {
    const broken: unknown[] = [
      sshConnection({}, {}),
      { ...ssh, config: { ...ssh.config, host_keys: undefined } },
      { ...ssh, config: { ...ssh.config, protocol: 'http' } },
      { ...ssh, config: { ...ssh.config, scripts: { a: { path: '/a', arguments: { pattern: '(' } } } } },
      agentConnection({}, {}),
      agentConnection({ protocol: 'http' }),
      agentConnection({ user: 'x' }),
    ];
    for (const connection of broken) {
      const params = { command: '/opt/note.sh' };
      const { ports, outcome } = run(params, { context: { connection: connection as never } });
      expect(await outcome).toMatchObject({ status: 'failed', retry: 'pause' });
      expect(ports.scripts.begun).toEqual([]);
    }
  });
});

describe('script: what its end means', () => {
  const ended = async (end: Parameters<typeof scriptEnd>[0]) => {
    const ports = fakes();
    ports.scripts.answer(end ?? {});
    return run({ script: 'a' }, { ports }).outcome;
  };
  const stream = (text: string) => ({ text, bytes: text.length, sha256: 'ab', truncated: false });

  it('0 is done, with both outputs', async () => {
    expect(await ended({ stdout: stream('ok\n'), startedAt: 5, endedAt: 12 })).toEqual({
      status: 'done',
      output: {
        exit_code: 0,
        stdout: 'ok\n',
        stdout_bytes: 3,
        stdout_sha256: 'ab',
        truncated: false,
        stderr: '',
        stderr_bytes: 0,
        // printf '' | sha256sum
        stderr_sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
        stderr_truncated: false,
        started_at: 5,
        duration_ms: 7,
      },
    });
  });

  it('C85: anything else failed, and is not repeated', async () => {
    expect(await ended({ exitCode: 3, stderr: stream('one\nlast words\n') })).toMatchObject({
      code: 'script_failed',
      retry: 'never',
      detail: expect.stringContaining('exit code 3: last words'),
      output: { exit_code: 3, stderr: 'one\nlast words\n' },
    });
    expect(await ended({ exitCode: null, signal: 'SIGSEGV' })).toMatchObject({
      code: 'script_failed',
      detail: expect.stringContaining('SIGSEGV'),
    });
  });

  it.each(['cancel', 'time_limit'] as const)('stopped by %s: a part may have happened', async (by) => {
    expect(await ended({ exitCode: null, signal: 'SIGKILL', stopped: { by, killed: true } })).toMatchObject({
      code: 'cancelled_uncertain',
      retry: 'never',
      detail: expect.stringContaining('TERM, then KILL'),
      output: { stopped: { by, killed: true } },
    });
  });

  const table: [ScriptHostFailureClass, string, string][] = [
    ['denied', 'denied', 'never'],
    ['dns', 'dns', 'backoff'],
    ['connect', 'connect', 'backoff'],
    ['tls', 'tls', 'pause'],
    ['host_key', 'host_key', 'pause'],
    ['auth', 'script_auth', 'pause'],
    ['timeout', 'timeout', 'backoff'],
    ['reset', 'reset', 'backoff'],
    ['protocol', 'protocol', 'backoff'],
    ['aborted', 'aborted', 'backoff'],
    ['refused', 'script_refused', 'never'],
    ['busy', 'script_busy', 'backoff'],
    ['unknown', 'uncertain', 'never'],
    ['uncertain', 'uncertain', 'never'],
  ];
  it.each(table)('no end, %s', async (failure, code, retry) => {
    for (const begun of [false, true]) {
      const ports = fakes();
      ports.scripts.answer(new ScriptHostFailure(failure, 'no end', { begun }));
      const outcome = await run({ script: 'a' }, { ports }).outcome;
      expect(outcome).toMatchObject({ status: 'failed', code, retry });
      expect('uncertain' in outcome).toBe(begun && retry !== 'never');
    }
  });

  it('a run that may have been begun is held when nobody asks again, one that was not fails', async () => {
    const last = async (begun: boolean) => {
      const ports = fakes();
      ports.scripts.answer(new ScriptHostFailure('timeout', 'no answer', { begun }));
      return run({ script: 'a' }, { ports, context: { attempt: 10 } }).outcome;
    };
    expect(await last(true)).toMatchObject({ code: 'uncertain', retry: 'never' });
    expect(await last(false)).toMatchObject({ code: 'timeout', retry: 'backoff' });
  });
});

describe('script: once', () => {
  it('a run that may have been begun is asked for, and not begun', async () => {
    const { ports, outcome } = run({ script: 'a' }, { context: { begun: true } });
    expect(await outcome).toMatchObject({ code: 'uncertain', retry: 'never' });
    expect(ports.scripts.begun).toEqual([]);
  });

  it('its end is the outcome when the host knows it', async () => {
    const ports = fakes();
    expect(await run({ script: 'a' }, { ports }).outcome).toMatchObject({ status: 'done' });
    expect(await run({ script: 'a' }, { ports, context: { begun: true } }).outcome).toMatchObject({
      status: 'done',
    });
    expect(ports.scripts.begun.length).toBe(1);
  });

  it('on_uncertain: retry begins what the host has never heard of', async () => {
    const { ports, outcome } = run(
      { script: 'a' },
      { context: { begun: true }, over: { on_uncertain: 'retry' } },
    );
    expect(await outcome).toMatchObject({ status: 'done' });
    expect(ports.scripts.begun.length).toBe(1);
  });

  it('a command that was given up before is not begun', async () => {
    const { ports, outcome } = run({ script: 'a' }, { context: { cancel: AbortSignal.abort() } });
    expect(await outcome).toMatchObject({ code: 'cancelled', retry: 'never' });
    expect(ports.scripts.begun).toEqual([]);
  });

  it('one that is given up while it runs is stopped', async () => {
    const ports = fakes();
    ports.scripts.answer('hang');
    const cancel = new AbortController();
    const { outcome } = run({ script: 'a' }, { ports, context: { cancel: cancel.signal } });
    cancel.abort();
    expect(await outcome).toMatchObject({ code: 'cancelled_uncertain' });
    expect(ports.scripts.stopped.length).toBe(1);
  });
});
